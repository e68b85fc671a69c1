"""More searches than are let in, and callers who leave, over real gRPC. Numbers are rows of users' cases."""

from typing import Any

import pytest
from prometheus_client import generate_latest

from loadtest.faults.findings import Findings
from loadtest.faults.overload import COLUMNS, Suite, leave, overload
from loadtest.faults.scrape import Metrics
from loadtest.mixes import fresh_queries
from vitrine.v1 import search_service_pb2_grpc


@pytest.fixture
def open_overloaded(open_shop: Any, start_server: Any, channel_to: Any) -> Any:
    """Opens a gateway that lets so many searches in."""

    async def opened(max_searches: int) -> Suite:
        shop = await open_shop(max_searches=max_searches)
        server = await start_server(shop.gateway.add_to, self_test=shop.gateway.self_test)
        channel = channel_to(server.port)

        async def metrics() -> list[Metrics]:
            return [Metrics(generate_latest().decode())]

        search = search_service_pb2_grpc.SearchServiceStub(channel).Search
        health = {"gateway": channel_to(server.port)}
        return Suite(search, iter(fresh_queries(5_000, 1)), health, lambda: 1, metrics, deadline_s=60)

    return opened


async def test_41_75_overload_is_refused_with_a_time_to_retry_and_nothing_else_fails(open_overloaded: Any) -> None:
    """text-embeddings-inference#811, server#8597"""
    found = Findings(COLUMNS)
    suite = await open_overloaded(2)
    await overload(suite, found, factor=5, seconds=1.0, calm_s=0.3)
    assert len(found.rows) == 4
    assert int(found.rows[1][COLUMNS.index("refused")].replace(",", "")) > 0
    # Times say as much of the machine as of the code: the command holds to them.
    assert [one for one in found.missed if "did not say" in one or "otherwise" in one or "reached a model" in one] == []


async def test_21_what_callers_left_does_not_reach_a_model(open_overloaded: Any) -> None:
    """leapfrogai#139"""
    found = Findings(COLUMNS)
    await leave(await open_overloaded(128), found)
    assert [one for one in found.missed if "reached a model" in one] == []
