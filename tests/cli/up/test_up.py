"""`vitrine up` as a user runs it: real processes, the models that ship, gRPC and HTTP."""

import asyncio
import json
import os
import shlex
import signal
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from cli.main import app
from loadtest.trace import Collector, collecting, is_answered, traced_search
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.cli.up.running import ROOT, Up, vitrine_up
from vitrine.channel import call, open_channel
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable
from vitrine.product import Product, checked_product
from vitrine.v1 import (
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    user_event_pb2,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)

FILLING = "the store is empty: filling it with the sample shop, 40 products"
PARTS = ("embedder", "retriever", "ranker", "gateway")


async def searched(up: Up, query: str) -> search_service_pb2.SearchResponse:
    async with open_channel(up.target) as channel:
        stub = search_service_pb2_grpc.SearchServiceStub(channel)
        request = search_service_pb2.SearchRequest(query=query, page_size=5)
        return await stub.Search(request, timeout=30)  # type: ignore[no-any-return]


async def reviews_of(up: Up, product_id: str) -> list[str]:
    """Ids of content, of which the sample shop has some about its first product."""
    async with open_channel(up.target) as channel:
        stub = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
        request = recommendation_service_pb2.RecommendRequest(
            placement=recommendation_service_pb2.PLACEMENT_CONTENT, product_ids=[product_id], page_size=5
        )
        answer = await stub.Recommend(request, timeout=30)
    assert product_id in answer.results[0].product.about_product_ids
    return [result.product.id for result in answer.results]


async def write_event(up: Up, event_id: str) -> None:
    """Writes an event, again while the store is away."""
    event = user_event_pb2.UserEvent(
        event_id=event_id,
        event_type=user_event_pb2.EVENT_TYPE_VIEW_ITEM,
        visitor_id="ana",
        products=[user_event_pb2.EventProduct(product_id="p1")],
    )
    request = user_event_service_pb2.WriteUserEventsRequest(events=[event])
    async with open_channel(up.target) as channel, asyncio.timeout(60):
        stub = user_event_service_pb2_grpc.UserEventServiceStub(channel)
        while True:
            try:
                answer = await call(stub.WriteUserEvents, request, deadline=Deadline.after(30))
                break
            except Unavailable:
                await asyncio.sleep(0.05)
    assert [outcome.status.code for outcome in answer.outcomes] == [0]


async def events_kept(up: Up) -> int:
    async with open_channel(up.target) as channel:
        stub = user_event_service_pb2_grpc.UserEventServiceStub(channel)
        request = user_event_service_pb2.GetVisitorRequest(visitor_id="ana")
        return int((await stub.GetVisitor(request, timeout=30)).event_count)


def children(process_id: int) -> dict[str, int]:
    """The processes that a process started, by the last word of their command that names a part, else events or
    redis by the folder that they work in."""
    found = {}
    for task in Path(f"/proc/{process_id}/task").iterdir():
        for child in (task / "children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            server = "events" if Path(f"/proc/{child}/cwd").resolve().name == "events" else "redis"
            part = next((word.rpartition(".")[2] for word in command if word.rpartition(".")[2] in PARTS), server)
            found[part] = int(child)
    return found


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def check_trace(up: Up, collector: Collector) -> None:
    """One search is one trace over all four processes, below the caller's span, with nothing of what was typed."""
    trace_id, parent_id = "ab" * 16, "cd" * 8
    await traced_search(up.target, "蓝牙耳机", "ana", trace_id, parent_id)
    spans = await collector.trace(trace_id, is_answered)
    by_id = {span.span_id: span for span in spans}
    [root] = [span for span in spans if span.parent_id not in by_id]
    assert (root.service, root.name, root.parent_id) == (
        "vitrine-gateway",
        "vitrine.v1.SearchService/Search",
        parent_id,
    )
    assert {span.service for span in spans} == {f"vitrine-{part}" for part in PARTS}
    told = {(span.service.removeprefix("vitrine-"), span.name) for span in spans}
    assert told >= {
        *(("gateway", name) for name in ("embed", "retrieve", "rank", "MGET", "events")),
        *(("embedder", name) for name in ("vitrine.v1.EmbedderService/Embed", "wait for embedder", "run embedder")),
        *(("retriever", name) for name in ("vitrine.v1.RetrieverService/Retrieve", "words", "vector", "products")),
        *(("ranker", name) for name in ("vitrine.v1.RankerService/Rank", "wait for ranker", "run ranker")),
    }
    assert not any(word in str(spans) for word in ("蓝牙", "ana'", "P0000"))
    assert [span.name for span in spans if span.is_failed] == []


async def test_one_process_serves_and_stops_cleanly_and_fills_an_empty_store_once(tmp_path: Path) -> None:
    """SIGTERM and Ctrl-C end it with 0 and no traceback (grpc#26123)."""
    async with vitrine_up(tmp_path) as up:
        await up.prints("Ctrl-C stops it.")
        assert FILLING in up.output
        answer = await searched(up, "智能手表")
        assert any("智能手表" in result.product.title for result in answer.results)
        assert not answer.degradations
        assert len(await reviews_of(up, "P0000001")) == 5
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            # The very line that was printed.
            line = next(line for line in up.output.splitlines() if line.lstrip().startswith("curl "))
            words = shlex.split(line)
            reply = await client.post(words[2], content=words[-1], headers={"Content-Type": "application/json"})
        assert len(reply.json()["recommendations"]) == 5
        servers = children(up.process.pid)
        assert set(servers) == {"redis", "events"}
        await write_event(up, "e1")
        os.kill(servers["events"], signal.SIGKILL)
        await up.prints("events ended with status -9; starting it again")
        assert (await searched(up, "智能手表")).results
        await write_event(up, "e2")
        servers = children(up.process.pid)
        up.process.send_signal(signal.SIGTERM)
        assert await up.ends() == 0
        assert "Traceback" not in up.output
        assert not any(map(is_running, servers.values()))

    async with vitrine_up(tmp_path) as up:
        await up.prints("Ctrl-C stops it.")
        assert await events_kept(up) == 2
        assert FILLING not in up.output
        assert (await searched(up, "智能手表")).results[0].product == answer.results[0].product
        up.process.send_signal(signal.SIGINT)
        assert await up.ends() == 0
        assert "Traceback" not in up.output


async def test_a_fill_that_was_cut_off_is_made_whole(tmp_path: Path, redis_url: str) -> None:
    settings = {"REDIS_URL": redis_url, "VITRINE_GATEWAY_RANK_DEPTH": "0"}
    async with vitrine_up(tmp_path, VITRINE_UP_SAMPLE_PRODUCTS="2000", **settings) as up:
        await up.prints("the store is empty")
        servers = children(up.process.pid)
        assert set(servers) == {"events"}
        store = psutil.Process(servers["events"])
        up.process.send_signal(signal.SIGKILL)
        await up.ends()
        # Left alone, it would write the log that the next one writes.
        assert psutil.wait_procs([store], timeout=30)[1] == []
    async with vitrine_up(tmp_path, **settings) as up:
        await up.prints("Ctrl-C stops it.")
        assert FILLING in up.output
        assert "redis" not in children(up.process.pid)  # the one that is set is used
        assert len((await searched(up, "智能手表")).results) == 5


async def test_the_suite_serves_restarts_what_dies_and_stops_all(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        collector, endpoint = await stack.enter_async_context(collecting())
        tracing = {
            # What the makers of collectors document; sent as soon as a search is over.
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            # A slow machine's Redis is late, which is a failed span.
            "VITRINE_GATEWAY_CACHE_WAIT_S": "30",
        }
        up = await stack.enter_async_context(vitrine_up(tmp_path, "--suite", **tracing))
        await up.prints("Ctrl-C stops it.")
        await check_trace(up, collector)
        answer = await searched(up, "智能手表")
        assert any("智能手表" in result.product.title for result in answer.results)
        assert not answer.degradations
        parts = children(up.process.pid)
        assert set(parts) == {*PARTS, "redis", "events"}
        os.kill(parts["ranker"], signal.SIGKILL)
        await up.prints("ranker ended with status -9; starting it again")
        assert (await searched(up, "智能手表")).results
        await write_event(up, "e1")
        assert await events_kept(up) == 1
        up.process.send_signal(signal.SIGINT)
        assert await up.ends() == 0
        assert "Traceback" not in up.output
        assert not any(map(is_running, parts.values()))


async def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for arguments in ((), ("--suite",)):
            async with vitrine_up(tmp_path, *arguments, VITRINE_GATEWAY_PORT=port) as up:
                assert await up.ends() == 1
                lines = up.output.splitlines()
                assert lines[0] == "starting …"
                assert lines[1].startswith(f"error: cannot listen on 127.0.0.1:{port} ")
                assert "VITRINE_GATEWAY_PORT" in lines[1]
                assert len(lines) == 2


async def test_a_missing_model_ends_the_start_and_what_was_started(tmp_path: Path) -> None:
    missing = tmp_path / "nothing"
    for arguments in ((), ("--suite",)):
        async with vitrine_up(tmp_path, *arguments, VITRINE_EMBEDDER_BUNDLE=str(missing)) as up:
            assert await up.ends() == 1
            assert f"no bundle at {missing}" in up.output
            # A service that is stopped while it starts may log the call that it cut off; we print no traceback.
            assert not any(line.startswith("Traceback") for line in up.output.splitlines())


@pytest.mark.parametrize("arguments", [(), ("--suite",)])
async def test_a_store_of_another_model_is_refused_with_both_named(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """FlashRAG#73: not an index that looks alive and fails every search (case 106)."""
    other = "sha256:" + "0" * 64
    retriever = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path))
    vectors = np.eye(1, 384, dtype=np.float32)
    await retriever.upsert_products(
        [checked_product(Product(id="p1", title="watch"))], vectors, model_digest=other, deadline=Deadline.after(60)
    )
    await retriever.close()
    served = json.loads((ROOT / "models/embedder/bundle.json").read_text())["digest"]
    async with vitrine_up(tmp_path, *arguments, VITRINE_RETRIEVER_DATA_DIR=str(tmp_path)) as up:
        assert await up.ends() == 1
        assert other in up.output
        assert served in up.output
        assert "begin with an empty data folder" in up.output
        assert "Vitrine is up" not in up.output
        assert not any(line.startswith("Traceback") for line in up.output.splitlines())


@pytest.mark.parametrize("command", ["up", "ingest", "search", "sample", "evaluate", "train", "version"])
def test_every_command_explains_itself(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0, done.output
    assert command in done.output


def test_a_search_without_a_gateway_is_one_clear_line() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{probe.getsockname()[1]}"
        done = CliRunner().invoke(app, ["search", "watch", "--target", target])
    assert done.exit_code == 1
    assert done.output.startswith("error: ")
    assert done.output.count("\n") == 1
