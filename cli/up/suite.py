"""The suite: each part a process of its own, watched over."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack

import grpc.aio
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.up.hints import hints
from cli.up.local_redis import cache_redis, events_redis
from cli.up.model_of_index import require_model_of_index
from cli.up.own_gateway import trust_own_gateway
from cli.up.ports import require_free, require_free_port, with_ports
from cli.up.sample_fill import fill_if_empty
from cli.up.settings import UpSettings
from cli.up.supervisor import Child, Supervisor
from gateway.clients.embedder import EmbedderClient
from gateway.clients.retriever import RetrieverClient
from gateway.events.settings import EventsSettings
from gateway.settings import GatewaySettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings
from vitrine.channel import open_channel
from vitrine.client import Client
from vitrine.deadline import Deadline
from vitrine.server_settings import ServerSettings
from vitrine.tls import ClientTls, TlsSettings, client_tls

_LOOK_UP_S = 10.0


async def run_suite(settings: UpSettings) -> None:
    """Runs the parts until SIGINT or SIGTERM.

    Raises FailedPrecondition when a port is taken or the store is of another model, Unavailable when a part ends
    before all have served.
    """
    gateway, parts = with_ports(GatewaySettings()), _parts()
    trust_own_gateway(gateway)
    for part in (*parts.values(), gateway):
        require_free_port(part)
    require_free(gateway.host, gateway.http_port, "VITRINE_GATEWAY_HTTP_PORT")
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        supervisor = Supervisor(settings, typer.echo)
        stack.push_async_callback(supervisor.stop)
        up = asyncio.create_task(_bring_up(supervisor, gateway, parts, settings))
        stop, failure = asyncio.create_task(stopping.wait()), asyncio.create_task(supervisor.failed())
        waiting = {up, stop, failure}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done & {up, failure}:
                await task
            await stop
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)


def _parts() -> dict[str, ServerSettings]:
    parts = {"embedder": EmbedderSettings(), "retriever": RetrieverSettings(), "ranker": RankerSettings()}
    return {name: with_ports(part) for name, part in parts.items()}


async def _bring_up(
    supervisor: Supervisor, gateway: GatewaySettings, parts: dict[str, ServerSettings], settings: UpSettings
) -> None:
    # Children read the same environment as we do; what we add gives way to what is set there.
    added = {}
    if not gateway.redis_url:
        cache = cache_redis(settings)
        await cache.start(supervisor)
        added["VITRINE_GATEWAY_REDIS_URL"] = cache.url
    events = EventsSettings()
    if not events.redis_url:
        event_store = events_redis(events)
        await event_store.start(supervisor)
        added["VITRINE_EVENTS_REDIS_URL"] = event_store.url
    for name, part in parts.items():
        added[f"VITRINE_GATEWAY_{name.upper()}_TARGET"] = _target(part)
        added[f"VITRINE_{name.upper()}_LOG_LEVEL"] = "warning"
    added["VITRINE_GATEWAY_LOG_LEVEL"] = "warning"
    environment = {**added, **os.environ, **settings.recommender_environment}
    for name in parts:
        supervisor.add(Child(name, [sys.executable, "-m", f"services.{name}"], environment))
    tls = client_tls(TlsSettings())
    await asyncio.gather(*(_part_serves(part, tls) for part in parts.values()))
    async with (
        open_channel(_target(parts["embedder"]), tls=tls) as embedder,
        open_channel(_target(parts["retriever"]), tls=tls) as retriever,
    ):
        await require_model_of_index(EmbedderClient(embedder), RetrieverClient(retriever))
    # Last, so that its first self-test finds all parts.
    supervisor.add(Child("gateway", [sys.executable, "-m", "gateway"], environment))
    async with Client(_target(gateway)) as client:
        await _serves(client.channel)
    supervisor.strict = False

    async def products_kept() -> int:
        async with open_channel(_target(parts["retriever"]), tls=tls) as channel:
            return (await RetrieverClient(channel).get_index(deadline=Deadline.after(_LOOK_UP_S))).products

    data_dir = RetrieverSettings().data_dir
    await fill_if_empty(data_dir, products_kept, _target(gateway), settings, typer.echo)
    typer.echo(hints(gateway))


async def _part_serves(part: ServerSettings, tls: ClientTls | None) -> None:
    async with open_channel(_target(part), tls=tls) as channel:
        await _serves(channel)


async def _serves(channel: grpc.aio.Channel) -> None:
    """Waits until the server there says that it is serving."""
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True)
    async for reply in watch:
        if reply.status == health_pb2.HealthCheckResponse.SERVING:
            return


def _target(settings: ServerSettings) -> str:
    return f"{settings.host}:{settings.port}"
