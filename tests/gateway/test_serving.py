"""Tests of the gateway as a process, and of what it says of itself."""

import asyncio
import signal
import socket
import sys
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.events.settings import EventsSettings
from gateway.serving import Gateway
from gateway.settings import GatewaySettings
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.ports.release import ReleaseRecord
from vitrine.v1 import search_service_pb2, search_service_pb2_grpc


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_the_process_serves_and_ends_on_sigterm(suite: Any, redis_url: str, channel_to: Any) -> None:
    """serve#5966 (case 38): proxy variables in its surroundings do not matter."""
    port, http_port = free_port(), free_port()
    environment = {
        "VITRINE_GATEWAY_PORT": str(port),
        "VITRINE_GATEWAY_HTTP_PORT": str(http_port),
        "VITRINE_GATEWAY_RANK_TIMEOUT_S": "20",
        "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "20",
        "REDIS_URL": redis_url,
        "http_proxy": "http://127.0.0.1:1",
        "grpc_proxy": "http://127.0.0.1:1",
    } | {f"VITRINE_GATEWAY_{name.upper()}_TARGET": f"127.0.0.1:{part}" for name, part in suite.port_of.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment, stderr=asyncio.subprocess.PIPE
    )
    channel = channel_to(port)
    health, search = health_pb2_grpc.HealthStub(channel), search_service_pb2_grpc.SearchServiceStub(channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(service="vitrine.v1.SearchService"), wait_for_ready=True)
    async with asyncio.timeout(60):
        async for answer in watch:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
    watch.cancel()
    answer = await search.Search(search_service_pb2.SearchRequest(query="智能手表", page_size=3), timeout=30)
    assert len(answer.results) == 3
    assert list(answer.degradations) == []
    process.send_signal(signal.SIGTERM)
    _, log = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert b"Traceback" not in log


_ON_ANY_PORT = """
import asyncio, gc, os, signal, sys
from contextlib import asynccontextmanager

import grpc.aio, httpx

from gateway.events.settings import EventsSettings
from gateway.serving import Gateway, Ports, serve_gateway
from gateway.settings import GatewaySettings


@asynccontextmanager
async def no_parts():
    yield Ports(None, None, None)


async def main(http_port):
    opened = asyncio.Event()
    settings = GatewaySettings(port=0, http_port=http_port)
    serving = asyncio.create_task(serve_gateway(settings, EventsSettings(), no_parts, opened.set))
    await opened.wait()
    print(gc.get_threshold()[0], any(isinstance(one, Gateway) for one in gc.get_objects()))
    async with httpx.AsyncClient(trust_env=False) as client:
        config = (await client.get(f"http://127.0.0.1:{http_port}/storefront/config.json")).json()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{config['grpc_port']}") as channel:
        await channel.channel_ready()
    os.kill(os.getpid(), signal.SIGTERM)
    await serving

asyncio.run(main(int(sys.argv[1])))
"""


async def test_what_a_start_made_is_walked_no_more_and_the_page_names_the_port_that_was_taken() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ON_ANY_PORT, str(free_port())),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, log = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, log.decode()
    assert output.split() == [b"2000", b"False"]


async def test_it_does_not_need_embedder_ranker_or_redis_to_be_ready(open_shop: Any) -> None:
    shop = await open_shop(redis_url="redis://127.0.0.1:1")
    shop.embedder.error = shop.ranker.error = Unavailable("away")
    await shop.gateway.self_test()
    assert shop.gateway.ready


async def test_it_is_not_ready_without_the_retriever(shop: Any) -> None:
    shop.retriever.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await shop.gateway.self_test()
    assert not shop.gateway.ready


async def test_it_stays_ready_while_its_releases_cannot_be_read_again(open_shop: Any) -> None:
    """Those that it knows answer; the database that keeps them is not asked by a search."""

    class Store:
        error: Exception | None = Unavailable("away")

        async def get_releases(self, *, deadline: Deadline) -> ReleaseRecord:
            if self.error is not None:
                raise self.error
            return ReleaseRecord()

    shop = await open_shop()
    store = shop.gateway._releases.store = Store()
    with pytest.raises(Unavailable):
        await shop.gateway.self_test()
    store.error = None
    await shop.gateway.self_test()
    store.error = Unavailable("away")
    await shop.gateway.self_test()
    assert shop.gateway.ready


async def test_an_http_port_in_use_is_named(shop: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gateway = Gateway(
            GatewaySettings(redis_url="", http_port=taken.getsockname()[1]), shop.gateway.ports, EventsSettings()
        )
        with pytest.raises(FailedPrecondition, match=f"cannot listen on 127.0.0.1:{taken.getsockname()[1]}"):
            async with gateway.http():
                pass


async def test_a_redis_url_that_is_none_is_refused_by_name(shop: Any) -> None:
    with pytest.raises(FailedPrecondition, match="redis_url"):
        Gateway(GatewaySettings(redis_url="localhost:6379"), shop.gateway.ports, EventsSettings())


async def test_calls_before_the_parts_are_open_are_unavailable(start_server: Any, channel_to: Any, shop: Any) -> None:
    """microservices-demo#62 (case 37): NOT_SERVING while the retriever is away, SERVING once it is there."""
    shop.retriever.error = Unavailable("starting")
    tested = asyncio.Event()

    async def self_test() -> None:
        try:
            await shop.gateway.self_test()
        finally:
            tested.set()

    starting = asyncio.create_task(start_server(shop.gateway.add_to, self_test=self_test, self_test_interval_s=0.01))
    await asyncio.wait_for(tested.wait(), 30)
    assert not starting.done()
    shop.retriever.error = None
    server = await asyncio.wait_for(starting, 30)
    answer = await health_pb2_grpc.HealthStub(channel_to(server.port)).Check(
        health_pb2.HealthCheckRequest(service="vitrine.v1.CatalogService"), timeout=30
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await server.stop(0)


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://one:1")
    monkeypatch.setenv("VITRINE_GATEWAY_RANK_DEPTH", "7")
    assert (GatewaySettings().redis_url, GatewaySettings().rank_depth) == ("redis://one:1", 7)
    monkeypatch.setenv("VITRINE_GATEWAY_REDIS_URL", "redis://two:2")
    assert GatewaySettings().redis_url == "redis://two:2"
