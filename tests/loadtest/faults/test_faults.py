"""Restarts and kills under load: the load test's own code over real processes, for some seconds."""

import tempfile
from pathlib import Path

from loadtest.faults import kill, rolling
from loadtest.faults.findings import Findings
from loadtest.faults.searches import searching
from loadtest.faults.shop import fill, shop
from loadtest.faults.suite import SERVICES, running

RATE = 4.0
# On a busy machine an answer may be late, and is not to fail for it; connections are renewed, and replicas found,
# sooner than in service.
DEADLINE_S = 30.0
PATIENT = {
    "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "20",
    "VITRINE_GATEWAY_RANK_TIMEOUT_S": "20",
    "VITRINE_GATEWAY_RETRIEVE_PATIENCE_S": "20",
    **{f"VITRINE_{service.upper()}_MAX_CONNECTION_AGE_S": "1" for service in SERVICES},
}


async def test_2_3_13_22_23_25_26_restarts_fail_no_search_and_kills_lose_nothing_acknowledged() -> None:
    """Each service is restarted, one of two replicas, and gets its share of calls again; then three parts are killed.

    grpc#37239, #26123, #8296, #28867, #40444, grpc-go#5621 and security_observability#192, over real processes.
    """
    restarts, kills = Findings(rolling.COLUMNS), Findings(kill.COLUMNS)
    # Not in pytest's folders: those are closed to other users, and as root PostgreSQL runs as one.
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        async with running(Path(folder), 2, PATIENT, postgres=True) as suite, suite.gateway() as channel:
            products = shop(20)
            await fill(channel, products)
            async with searching(channel, products, RATE, DEADLINE_S) as load:
                await rolling.restart_each(suite, load, restarts, replicas=1, window_s=1.0)
            assert suite.postgres is not None
            parts = [suite.events, suite.postgres, suite.services["retriever"].replicas[0]]
            await kill.kill_each(
                channel, parts, kills, rate=RATE, away_s=(0.1, 0.3), watch_s=2.0, deadline_s=DEADLINE_S
            )
    assert restarts.missed == []
    assert [row[0] for row in restarts.rows] == [f"restart {service} 1" for service in SERVICES]
    assert kills.missed == []
    assert [row[0] for row in kills.rows[:3]] == ["events", "postgres", "retriever"]
