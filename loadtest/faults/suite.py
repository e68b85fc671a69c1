"""A suite of real processes on this machine: so many replicas of each service, PostgreSQL, and Redis twice.

Each replica has an address of its own (127.0.0.2, .3, …) and each service a name that stands for those that serve.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import redis.asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis.exceptions import RedisError

from cli.up.local_redis import LocalRedis, cache_redis, events_redis
from cli.up.ports import free_port
from cli.up.settings import UpSettings
from gateway.events.settings import EventsSettings
from loadtest.faults.name_server import NameServer, name_server
from loadtest.faults.postgres import postgres_process
from loadtest.faults.process import Process
from vitrine.channel import ChannelSettings, open_channel

SERVICES = ("embedder", "ranker", "retriever", "gateway")
_PROBE_S = 2.0


@dataclass(slots=True)
class Service:
    """A service: its replicas, and the port that all of them listen on."""

    name: str
    port: int
    metrics_port: int
    replicas: list[Process] = field(default_factory=list)

    def address(self, number: int) -> str:
        """The address of a replica, from 0."""
        return f"127.0.0.{number + 2}"


class Suite:
    """The parts that run. `services` by name; `cache`, `events` and `postgres` (None: SQLite) beside them."""

    def __init__(self, folder: Path, names: NameServer, settings: Mapping[str, str]) -> None:
        """`settings`: environment variables for all processes."""
        self.folder = folder
        self.services = {name: Service(name, free_port(), free_port()) for name in SERVICES}
        self._names = names
        self._settings = dict(settings)
        self._http_port = free_port()
        self.cache, self.cache_url = self._redis(cache_redis(UpSettings(cache_dir=folder / "cache")))
        self.events, self.events_url = self._redis(events_redis(EventsSettings(data_dir=folder / "events")))
        self.postgres: Process | None = None

    def target(self, service: str) -> str:
        """The gRPC target that stands for all replicas that serve."""
        return f"dns://127.0.0.1:{self._names.port}/{service}.suite:{self.services[service].port}"

    def address(self, service: str, number: int) -> str:
        """host:port of one replica, from 0."""
        one = self.services[service]
        return f"{one.address(number)}:{one.port}"

    def metrics_url(self, service: str, number: int) -> str:
        """Where Prometheus reads one replica."""
        one = self.services[service]
        return f"http://{one.address(number)}:{one.metrics_port}/metrics"

    def gateway(self, settings: ChannelSettings | None = None) -> grpc.aio.Channel:
        """A channel to all gateways, with the retries, health and ejection that Vitrine's own clients have."""
        return open_channel(self.target("gateway"), settings)

    @property
    def parts(self) -> list[Process]:
        """Every process, in the order of their start."""
        stores = [store for store in (self.postgres, self.cache, self.events) if store is not None]
        return stores + [replica for name in SERVICES for replica in self.services[name].replicas]

    def add_postgres(self) -> None:
        """A PostgreSQL of its own for the catalogue, before the start."""
        self.postgres, self._settings["VITRINE_CATALOGUE_URL"] = postgres_process(self.folder)

    def add_replica(self, service: str, module: str = "") -> Process:
        """One more replica of a service, not started yet; `module`: what is run in its place, told host and port."""
        one = self.services[service]
        number = len(one.replicas)
        name, host = f"{service} {number + 1}", one.address(number)
        prefix = f"VITRINE_{service.upper()}_"
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            f"{prefix}HOST": host,
            f"{prefix}PORT": str(one.port),
            f"{prefix}METRICS_PORT": str(one.metrics_port),
            "VITRINE_RETRIEVER_DATA_DIR": str(self.folder / name.replace(" ", "-")),
            "VITRINE_GATEWAY_HTTP_PORT": str(self._http_port),
            "VITRINE_GATEWAY_REDIS_URL": self.cache_url,
            "VITRINE_EVENTS_REDIS_URL": self.events_url,
            **{f"VITRINE_GATEWAY_{part.upper()}_TARGET": self.target(part) for part in SERVICES if part != "gateway"},
            **self._settings,
        }
        module = module or ("gateway" if service == "gateway" else f"services.{service}")
        process = Process(
            name,
            [sys.executable, "-m", module, host, str(one.port)],
            environment,
            self.folder / f"{name.replace(' ', '-')}.log",
            lambda: _serves(f"{host}:{one.port}"),
            lambda serving: self._publish(service, host, serving),
        )
        one.replicas.append(process)
        return process

    def _publish(self, service: str, host: str, serving: bool) -> None:
        known = [one for one in self._names.addresses.get(f"{service}.suite", []) if one != host]
        self._names.addresses[f"{service}.suite"] = [*known, host] if serving else known

    def _redis(self, server: LocalRedis) -> tuple[Process, str]:
        async def ready() -> bool:
            async with redis.asyncio.from_url(server.url) as client:
                try:
                    return bool(await client.ping())
                except (RedisError, OSError):
                    return False

        log = self.folder / f"{server.name}.log"
        return Process(server.name, server.command(), os.environ, log, ready), server.url


@asynccontextmanager
async def running(
    folder: Path, replicas: int | Mapping[str, int] = 2, settings: Mapping[str, str] | None = None, *, postgres: bool
) -> AsyncIterator[Suite]:
    """A suite that serves, its data and logs in `folder`; all of it is ended on the way out.

    `replicas` of each service, or by its name; several retrievers need `postgres`. Raises PartNotReady.
    """
    async with AsyncExitStack() as stack:
        suite = Suite(folder, await stack.enter_async_context(name_server()), settings or {})
        if postgres:
            suite.add_postgres()
        for name in SERVICES:
            for _ in range(replicas if isinstance(replicas, int) else replicas.get(name, 1)):
                suite.add_replica(name)
        stack.push_async_callback(_kill_all, suite)
        for store in (suite.postgres, suite.cache, suite.events):
            if store is not None:
                await store.start()
        for name in SERVICES:
            await asyncio.gather(*(replica.start() for replica in suite.services[name].replicas))
        yield suite


async def _kill_all(suite: Suite) -> None:
    for part in reversed(suite.parts):
        await part.kill()


async def _serves(target: str) -> bool:
    async with grpc.aio.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_S)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
