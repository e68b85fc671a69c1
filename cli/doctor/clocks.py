"""Clocks: this machine's, and those of the stores and of the gateway against it."""

import asyncio
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import redis.asyncio
import sqlalchemy as sa
from redis.exceptions import RedisError

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from cli.doctor.suite import Suite
from gateway.auth.settings import AuthSettings
from gateway.events.settings import EventsSettings
from gateway.settings import GatewaySettings
from services.retriever.database import open_postgres
from services.retriever.settings import RetrieverSettings

_TIMEOUT_S = 3.0
_WRITTEN_S = Path(__file__).stat().st_mtime
_DRIFT_S = 1.0
_STEP_S = 0.5
_DATE_S = 5.0
_CHECKS = {"cache": "redis.cache", "event store": "redis.events"}
_NTP = "let NTP (chrony, systemd-timesyncd) set the clocks"


@check(
    "clocks.machine", "machine", tells="the clock is not before this release was installed, and did not jump meanwhile"
)
async def machine_clock(machine: Machine) -> AsyncIterator[Finding]:
    """The wall clock against the steady one over the doctor's run, and against this file's time."""
    jumped_s = abs(time.time() - time.monotonic() - machine.clock_ahead_s)
    if time.time() < _WRITTEN_S - 86_400:
        yield problem("the clock is before the time when this release was installed", _NTP)
    elif jumped_s > _STEP_S:
        yield warning(f"the clock was set by {jumped_s:.1f} s while the doctor ran", _NTP)
    else:
        yield ok(f"{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}, steady")


@check(
    "clocks.stores",
    "machine",
    "suite",
    tells="Redis (TIME) and PostgreSQL (clock_timestamp()) have this machine's time",
)
async def stores(examined: Machine | Suite) -> AsyncIterator[Finding]:
    """Each store's clock at the middle of a round trip."""
    urls = {"cache": GatewaySettings().redis_url, "event store": EventsSettings().redis_url}
    catalogue_url, asked = RetrieverSettings().catalogue_url, False
    for name, url in urls.items():
        if not url:
            continue
        asked = True
        try:
            async with redis.asyncio.from_url(
                url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            ) as client:
                await client.ping()
                before_s = time.time()
                seconds, microseconds = await client.time()
                yield _drift(f"the {name}", seconds + microseconds / 1e6, before_s, time.time())
        except (RedisError, OSError) as error:
            yield unknown(f"the {name} does not tell its time: {error}", f"see {_CHECKS[name]}")
    if catalogue_url:
        asked = True
        engine = open_postgres(catalogue_url, name="vitrine-doctor")
        try:
            found_s, before_s, after_s = await asyncio.to_thread(_postgres_time, engine)
            yield _drift("PostgreSQL", found_s, before_s, after_s)
        except sa.exc.DBAPIError as error:
            yield unknown(f"PostgreSQL does not tell its time: {error.orig}", "see postgres.server")
        finally:
            engine.dispose()
    if not asked and isinstance(examined, Suite) and not examined.one_process:
        yield unknown("no Redis and no PostgreSQL is set here", "see redis.cache and redis.events")
    elif not asked:
        yield ok("no Redis and no PostgreSQL is set")


@check("clocks.gateway", "suite", tells="the gateway's clock, by the Date of its HTTP answers, is this machine's")
async def gateway(suite: Suite) -> AsyncIterator[Finding]:
    """A Date has whole seconds, and a busy server's is some seconds old: this tells clocks that are minutes off."""
    # Only the Date is read of the answer.
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S, verify=False) as client:
        before_s = time.time()
        try:
            reply = await client.get(f"{suite.http_url}/healthz")
            found_s = parsedate_to_datetime(reply.headers["date"]).timestamp()
        except (httpx.HTTPError, KeyError, ValueError) as error:
            yield unknown(f"{suite.http_url} tells no Date: {error}", "name the gateway's HTTP port by --http")
            return
    yield _drift("the gateway", found_s, before_s, time.time(), coarse_s=_DATE_S)


def _postgres_time(engine: sa.Engine) -> tuple[float, float, float]:
    with engine.connect() as connection:
        before_s = time.time()
        found = connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        return float(found), before_s, time.time()


def _drift(whose: str, found_s: float, before_s: float, after_s: float, coarse_s: float = 0.0) -> Finding:
    """`found_s` was told at some moment between `before_s` and `after_s`, to `coarse_s` exactly."""
    drift_s = max(before_s - coarse_s - found_s, found_s - after_s - coarse_s, 0.0)
    if drift_s > AuthSettings().jwt_leeway_s:
        return problem(
            f"{whose} has a clock that is {drift_s:.0f} s off: tokens and events are of the wrong time", _NTP
        )
    if drift_s > _DRIFT_S:
        return warning(f"{whose} has a clock that is {drift_s:.1f} s off", _NTP)
    return ok(f"{whose} has this machine's time, to {coarse_s or _DRIFT_S:g} s")
