"""Redis or Valkey: reached, how fast, and set as a cache and as a store of events must be."""

import statistics
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from cli.doctor.suite import Suite
from gateway.events.settings import EventsSettings
from gateway.settings import GatewaySettings

_TIMEOUT_S = 3.0
_PINGS = 20
_FULL_SHARE = 0.9
# ZMSCORE came with 6.2; Valkey began after it.
_LEAST_VERSION = (6, 2)


@check(
    "redis.cache",
    "machine",
    "suite",
    tells="the cache's Redis: reached, fast enough to be waited for, evicts, has a bound",
)
async def cache(examined: Machine | Suite) -> AsyncIterator[Finding]:
    """VITRINE_GATEWAY_REDIS_URL: what it holds can be made again."""
    settings = GatewaySettings()
    if not settings.redis_url:
        yield _unset(examined, "VITRINE_GATEWAY_REDIS_URL (or REDIS_URL)")
        return
    info, seconds, _ = await _asked("cache", settings.redis_url)
    if info is None:
        yield problem(f"the cache cannot be reached: {seconds}", "start it, or correct VITRINE_GATEWAY_REDIS_URL")
        return
    for finding in _common("the cache", info):
        yield finding
    policy, most = info["maxmemory_policy"], int(info["maxmemory"])
    if policy == "noeviction":
        yield problem(
            "the cache evicts nothing: when it is full, nothing new is kept", "set maxmemory-policy allkeys-lru"
        )
    elif policy not in ("allkeys-lru", "allkeys-lfu"):
        yield warning(f"the cache evicts by {policy}", "set maxmemory-policy allkeys-lru or allkeys-lfu")
    databases = [each for name, each in info.items() if name.startswith("db") and isinstance(each, dict)]
    if lasting := sum(int(each["keys"]) - int(each["expires"]) for each in databases):
        yield warning(
            f"{lasting:,} keys of the cache never expire, and none of ours is so", "give the cache a Redis of its own"
        )
    if most == 0:
        yield warning("the cache has no maxmemory: it grows to what the machine has", "set maxmemory, such as 256mb")
    worst = f"{statistics.median(seconds) * 1e3:.2f} ms, at worst {max(seconds) * 1e3:.2f} ms"
    if statistics.median(seconds) > settings.cache_wait_s:
        yield warning(
            f"the cache answers in {worst}, and searches wait {settings.cache_wait_s * 1e3:g} ms",
            "bring it nearer to the gateway, or raise VITRINE_GATEWAY_CACHE_WAIT_S",
        )
    else:
        yield ok(f"the cache ({_version(info)}, {policy}) answers in {worst}")


@check(
    "redis.events",
    "machine",
    "suite",
    tells="the event store's Redis: reached, loses nothing (appendonly, noeviction), not full, writes without errors",
)
async def events(examined: Machine | Suite) -> AsyncIterator[Finding]:
    """VITRINE_EVENTS_REDIS_URL: what was acknowledged must stay."""
    url = EventsSettings().redis_url
    if not url:
        yield _unset(examined, "VITRINE_EVENTS_REDIS_URL")
        return
    info, seconds, fsync = await _asked("event store", url)
    if info is None:
        yield problem(f"the event store cannot be reached: {seconds}", "start it, or correct VITRINE_EVENTS_REDIS_URL")
        return
    for finding in _common("the event store", info):
        yield finding
    if info["loading"]:
        # It says then that it keeps no log, for it writes none while it reads one.
        yield warning("the event store reads its log, as after a restart: nothing is written yet", "ask again later")
    elif not info["aof_enabled"]:
        yield problem(
            "the event store keeps no append-only file: a restart loses events",
            "set appendonly yes, appendfsync always",
        )
    elif fsync is None:
        yield unknown("the event store does not tell appendfsync", "let this user run CONFIG GET, or look there")
    elif fsync != "always":
        yield warning(
            f"appendfsync is {fsync}: a crash of its machine loses acknowledged events", "set appendfsync always"
        )
    if (policy := info["maxmemory_policy"]) != "noeviction":
        yield problem(
            f"the event store evicts ({policy}): events vanish when it is full", "set maxmemory-policy noeviction"
        )
    used, most = int(info["used_memory"]), int(info["maxmemory"])
    if most and used > _FULL_SHARE * most:
        yield warning(
            f"the event store is {used / most:.0%} full; when it is full, events are refused",
            "raise maxmemory, or `vitrine events export` and purge",
        )
    elif not most:
        yield warning(
            "the event store has no maxmemory: it grows until it is killed", "set maxmemory below the machine's"
        )
    if evicted := int(info["evicted_keys"]):
        yield warning(
            f"the event store has evicted {evicted:,} keys since it started", "restore the events from your export"
        )
    yield ok(f"the event store ({_version(info)}) answers in {statistics.median(seconds) * 1e3:.2f} ms")


async def _asked(name: str, url: str) -> tuple[dict[str, Any] | None, Any, str | None]:
    """INFO, the seconds of some pings, and appendfsync where it is told; or None and what is wrong."""
    try:
        client = redis.asyncio.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    except ValueError:
        # Not what is wrong with it: an address may hold a password.
        return None, f"the address of the {name} is none such as redis://127.0.0.1:6379", None
    async with client:
        try:
            info = await client.info()
            seconds = []
            for _ in range(_PINGS):
                start_s = time.perf_counter()
                await client.ping()
                seconds.append(time.perf_counter() - start_s)
        except (RedisError, OSError) as error:
            return None, str(error) or type(error).__name__, None
        try:
            return info, seconds, (await client.config_get("appendfsync")).get("appendfsync")
        except RedisError:
            return info, seconds, None


def _common(name: str, info: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with either use of a Redis."""
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < _LEAST_VERSION:
        yield problem(f"{name} is {_version(info)}", "use Redis 6.2 or later, or any Valkey")
    if info.get("role") == "slave":
        yield problem(f"{name} is a replica, which refuses writes", "give the address of the primary")
    if info.get("loading"):
        yield problem(f"{name} is still loading its data", "wait until it has")
    errors = {
        "aof_last_write_status": "writes to the append-only file fail",
        "aof_last_bgrewrite_status": "the append-only file could not be written anew",
        "rdb_last_bgsave_status": "the last snapshot (bgsave) failed",
    }
    for key, said in errors.items():
        if info.get(key, "ok") != "ok":
            yield problem(f"{name}: {said}", "look into its log; its disk may be full")
    if rejected := int(info.get("rejected_connections", 0)):
        yield warning(f"{name} has refused {rejected:,} connections", "raise maxclients")
    most, machine = int(info.get("maxmemory", 0)), int(info.get("total_system_memory", 0))
    if machine and most > machine:
        yield warning(f"{name} may use more memory than its machine has", "lower maxmemory")


def _version(info: dict[str, Any]) -> str:
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"


def _unset(examined: Machine | Suite, variable: str) -> Finding:
    if isinstance(examined, Machine) or examined.one_process:
        return ok(f"{variable} is not set: `vitrine up` starts a Valkey of its own, set as it must be")
    return unknown(
        f"{variable} is not set here",
        "set it as it is for the gateway (`vitrine up --suite` starts one, set as it must be)",
    )
