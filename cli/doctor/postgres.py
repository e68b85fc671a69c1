"""PostgreSQL as the catalogue of several retrievers: reached, safe, with room for connections, and followed."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from cli.doctor.suite import Suite
from gateway.clients.retriever import RetrieverClient
from services.retriever.database import open_postgres
from services.retriever.settings import RetrieverSettings
from services.retriever.tables import FORMAT, state
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError

# Older ones are not maintained any more.
_LEAST_VERSION = 13
_FULL_SHARE = 0.8
_TIMEOUT_S = 5.0
_SETTINGS = (
    "server_version_num",
    "server_version",
    "fsync",
    "synchronous_commit",
    "max_connections",
    "transaction_read_only",
)


@check(
    "postgres.server",
    "machine",
    "suite",
    tells="PostgreSQL: reached, version, fsync, connections left, format of the catalogue",
)
async def server(examined: Machine | Suite) -> AsyncIterator[Finding]:
    """VITRINE_CATALOGUE_URL."""
    url = RetrieverSettings().catalogue_url
    if not url:
        yield _unset(examined)
        return
    engine = open_postgres(url, name="vitrine-doctor")
    try:
        start_s = time.perf_counter()
        settings, used, found = await asyncio.to_thread(_seen, engine)
        took_ms = (time.perf_counter() - start_s) * 1e3
    except SQLAlchemyError as error:
        said = " ".join(str(getattr(error, "orig", error)).split())
        yield problem(f"PostgreSQL cannot be reached: {said}", "start it, or correct VITRINE_CATALOGUE_URL")
        return
    finally:
        engine.dispose()
    if int(settings["server_version_num"]) < _LEAST_VERSION * 10_000:
        yield warning(f"PostgreSQL is {settings['server_version']}", f"use {_LEAST_VERSION} or later")
    if settings["transaction_read_only"] == "on":
        yield problem("PostgreSQL is a standby, which refuses writes", "give the address of the primary")
    for name in ("fsync", "synchronous_commit"):
        if settings[name] == "off":
            yield warning(f"{name} is off: a crash loses products that were acknowledged", f"set {name} = on")
    if used > _FULL_SHARE * int(settings["max_connections"]):
        yield warning(
            f"{used} of {settings['max_connections']} connections are in use (each retriever opens up to 16)",
            "raise max_connections",
        )
    if found is not None and found["format"] != FORMAT:
        yield problem(f"the catalogue has format {found['format']} and this version reads {FORMAT}", "ingest again")
    else:
        products = f"revision {found['revision']}" if found else "no catalogue yet"
        yield ok(f"PostgreSQL {settings['server_version']}, {products}, asked in {took_ms:.0f} ms")


@check("postgres.followers", "suite", tells="each retriever shows what is written to PostgreSQL (revision lag)")
async def followers(suite: Suite) -> AsyncIterator[Finding]:
    """The catalogue's revision, and then each retriever's, until it is as far or its time is over."""
    settings = RetrieverSettings()
    if not settings.catalogue_url:
        yield _unset(suite)
        return
    engine = open_postgres(settings.catalogue_url, name="vitrine-doctor")
    try:
        revision = await asyncio.to_thread(_revision, engine)
    except SQLAlchemyError as error:
        yield unknown(f"the catalogue's revision is not told: {getattr(error, 'orig', error)}", "see postgres.server")
        return
    finally:
        engine.dispose()
    for one in suite.of("retriever"):
        patience = Deadline.after(10 * settings.catalogue_poll_s)
        shown = -1
        try:
            while shown < 0 or (shown < revision and patience.remaining_s() > 0):
                shown = (await RetrieverClient(one.channel).get_index(deadline=Deadline.after(_TIMEOUT_S))).revision
                await asyncio.sleep(settings.catalogue_poll_s if shown < revision else 0)
        except VitrineError as error:
            yield unknown(f"{one.name} does not say what it shows: {error.message}", "see parts.health")
            continue
        if shown < revision:
            yield problem(
                f"{one.name} shows revision {shown} and PostgreSQL has {revision}",
                "look into its log; a restart makes its views anew",
            )
        else:
            yield ok(f"{one.name} shows revision {shown} of {revision}")


def _seen(engine: sa.Engine) -> tuple[dict[str, str], int, Any]:
    with engine.connect() as connection:
        settings = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in _SETTINGS}
        used = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL"
        ).scalar_one()
        there = sa.inspect(connection).has_table(state.name)
        return settings, used, connection.execute(sa.select(state)).mappings().one_or_none() if there else None


def _revision(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(state.c.revision)).scalar_one())


def _unset(examined: Machine | Suite) -> Finding:
    if isinstance(examined, Suite) and not examined.one_process and len(examined.of("retriever")) > 1:
        return unknown("several retrievers, and VITRINE_CATALOGUE_URL is not set here", "set it as it is set for them")
    return ok("VITRINE_CATALOGUE_URL is not set here, so the catalogue is taken for a file of SQLite")
