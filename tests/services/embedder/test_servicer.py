"""What only the wire can break: enums, number formats, streams, cancelling, health under load."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from gateway.clients.embedder import EmbedderClient
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from vitrine.channel import open_channel
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import ResourceExhausted
from vitrine.ports import InputType
from vitrine.server import Server
from vitrine.v1 import common_pb2, embedder_service_pb2, embedder_service_pb2_grpc
from vitrine.vectors import unpack_vectors

Request = embedder_service_pb2.EmbedRequest
QUERY = embedder_service_pb2.INPUT_TYPE_QUERY
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> Any:
    return embedder_service_pb2_grpc.EmbedderServiceStub(channel)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"vitrine_batch_{name}", {"model": "embedder", **labels}) or 0.0


def waiting_tokens() -> float:
    return metric("waiting_tokens", lane="live")


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what a metric will show; it has no event of its own."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("field", "value"),
    [("input_type", 0), ("input_type", 9), ("overflow", 9), ("lane", 9), ("vector_type", 9)],
)
async def test_an_unset_or_unknown_enum_is_named(stub: Any, field: str, value: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Embed(Request(**{"texts": ["red"], "input_type": QUERY, field: value}))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (refused.value.details() or "").startswith(f"{field}: {value} is not a")


async def test_vectors_travel_as_float16_when_asked(stub: Any) -> None:
    texts = ["red watch", "blue phone"]
    wide = await stub.Embed(Request(texts=texts, input_type=QUERY))
    half = await stub.Embed(Request(texts=texts, input_type=QUERY, vector_type=common_pb2.VECTOR_TYPE_FLOAT16))
    assert (wide.vectors.type, half.vectors.type) == (
        common_pb2.VECTOR_TYPE_FLOAT32,
        common_pb2.VECTOR_TYPE_FLOAT16,
    )
    assert len(half.vectors.data) == len(wide.vectors.data) // 2 == 2 * 32 * 2
    a = unpack_vectors(wide.vectors.data, 32)
    b = unpack_vectors(half.vectors.data, 32, "float16")
    assert (a * b).sum(axis=1).min() > 0.9999


async def test_items_carry_their_index_and_status(stub: Any) -> None:
    answer = await stub.Embed(Request(texts=["red", "", "blue"], input_type=QUERY))
    assert [item.index for item in answer.items] == [0, 1, 2]
    assert [item.status.code for item in answer.items] == [0, grpc.StatusCode.INVALID_ARGUMENT.value[0], 0]
    assert "texts[1]" in answer.items[1].status.message
    assert answer.prompt == "query: "


async def test_engine_and_client_give_the_same_vectors(engine: EmbedderEngine, channel: grpc.aio.Channel) -> None:
    texts = ["red watch", "", "智能手表"]
    here = await engine.embed(texts, input_type=InputType.QUERY, deadline=Deadline.after(60))
    there = await EmbedderClient(channel).embed(texts, input_type=InputType.QUERY, deadline=Deadline.after(60))
    assert (there.vectors == here.vectors).all()
    assert (there.model_digest, there.prompt) == (here.model_digest, here.prompt)
    assert [item.tokens for item in there.items] == [item.tokens for item in here.items]
    assert str(there.items[1].error) == str(here.items[1].error)


async def test_a_stream_answers_in_order_and_outlives_a_bad_batch(stub: Any) -> None:
    async def requests() -> AsyncIterator[Any]:
        for number in range(6):
            texts = [] if number == 2 else ["red"] * (number + 1)
            yield embedder_service_pb2.EmbedStreamRequest(request=Request(texts=texts, input_type=QUERY))

    answers = [answer async for answer in stub.EmbedStream(requests())]
    assert [len(answer.response.items) for answer in answers] == [1, 2, 0, 4, 5, 6]
    assert not answers[2].HasField("response")
    assert answers[2].status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "texts: has 0 entries" in answers[2].status.message


async def test_a_stream_answers_each_batch_before_the_next_is_sent(stub: Any) -> None:
    stream = stub.EmbedStream()
    for word in ("red", "blue"):
        await stream.write(embedder_service_pb2.EmbedStreamRequest(request=Request(texts=[word], input_type=QUERY)))
        assert len((await stream.read()).response.items) == 1
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF


async def test_a_call_over_the_size_cap_is_refused_with_the_limit(stub: Any) -> None:
    texts = ["r" * 32_768] * 200
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Embed(Request(texts=texts, input_type=QUERY))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "4194304" in (refused.value.details() or "")


async def test_cancelled_calls_never_reach_the_model(channel: grpc.aio.Channel, busy: threading.Event) -> None:
    """leapfrogai#139: the backend went on computing after its clients had left."""
    stub: Any = embedder_service_pb2_grpc.EmbedderServiceStub(channel)
    dropped, batches = metric("dropped_items_total", reason="cancelled"), metric("items_count")
    first = stub.Embed(Request(texts=["red"], input_type=QUERY))
    # "query: red" is four tokens with the special ones.
    await until(lambda: waiting_tokens() == 4)
    calls = [stub.Embed(Request(texts=["red"] * 10, input_type=QUERY)) for _ in range(100)]
    await until(lambda: waiting_tokens() == 4 + 100 * 10 * 4)
    for call in calls:
        call.cancel()
    await until(lambda: waiting_tokens() == 4)
    busy.set()
    assert len((await first).items) == 1
    assert metric("dropped_items_total", reason="cancelled") - dropped == 1_000
    assert metric("items_count") == batches + 1


async def test_a_slow_model_stalls_neither_health_nor_light_calls(
    channel: grpc.aio.Channel, busy: threading.Event
) -> None:
    """kserve#5019 and vllm#38157 (cases 18, 19): inference and health shared one loop, and health took 30 s."""
    stub: Any = embedder_service_pb2_grpc.EmbedderServiceStub(channel)
    health: Any = health_pb2_grpc.HealthStub(channel)
    waiting = [stub.Embed(Request(texts=["red"] * 100, input_type=QUERY)) for _ in range(20)]
    # None of these could be answered while the model is busy if any of them waited for it.
    for _ in range(100):
        assert (await health.Check(health_pb2.HealthCheckRequest(), timeout=60)).status == SERVING
        answer = await stub.GetModel(embedder_service_pb2.EmbedderServiceGetModelRequest(), timeout=60)
        assert answer.model.name == "tiny"
    assert not any(call.done() for call in waiting)
    busy.set()
    await asyncio.gather(*waiting)


async def test_an_overloaded_embedder_refuses_with_a_time_to_retry(
    make_embedder_bundle: Any, budget: ComputeBudget, serve: Any
) -> None:
    """text-embeddings-inference#811: 500 callers of 8 texts over a small queue; all get an answer or a clear no."""
    settings = EmbedderSettings.model_validate({"bundle": make_embedder_bundle(), "batch": {"max_queue_tokens": 512}})
    engine = await EmbedderEngine.open(settings, budget)
    server = await serve(engine)
    await server.serving()
    async with open_channel(f"127.0.0.1:{server.port}") as channel:
        client = EmbedderClient(channel)
        release = threading.Event()
        blocked = asyncio.create_task(budget.run_model(release.wait))
        calls = {
            asyncio.create_task(client.embed(["red"] * 8, input_type=InputType.QUERY, deadline=Deadline.after(60)))
            for _ in range(500)
        }
        # While the model is busy only a refusal can be an answer.
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        await blocked
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, BaseException)]
        assert refused
        assert len(refused) < 500
        for error in refused:
            assert isinstance(error, ResourceExhausted)
            assert error.reason == "QUEUE_FULL"
            assert error.retry_after_s is not None
            assert error.retry_after_s > 0
        again = await client.embed(["red"], input_type=InputType.QUERY, deadline=Deadline.after(60))
        assert again.items[0].error is None
    await engine.close()


async def status_of(server: Server) -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(service="vitrine.v1.EmbedderService"))).status)


async def test_never_serving_with_a_wrong_model(make_embedder_bundle: Any, budget: ComputeBudget, serve: Any) -> None:
    """fastembed#688 (case 61): weights that disagree with their runtime; readiness says so."""
    known = {"text": "red watch", "input_type": "query", "vector_head": [1.0, *[0.0] * 31]}
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=make_embedder_bundle(self_test=known)), budget)
    tested = asyncio.Event()
    self_test = engine.self_test

    async def seen_self_test() -> None:
        try:
            await self_test()
        finally:
            tested.set()

    engine.self_test = seen_self_test  # type: ignore[method-assign]
    server = await serve(engine)
    await tested.wait()
    assert await status_of(server) == NOT_SERVING
    await engine.close()


async def test_not_serving_once_every_inference_fails(
    make_embedder_bundle: Any, budget: ComputeBudget, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """triton server#3627 (case 70): health stayed green while every inference failed."""
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=make_embedder_bundle()), budget)
    server = await serve(engine)
    await server.serving()
    assert await status_of(server) == SERVING

    def broken(*_: Any) -> Any:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(engine._session, "run", broken)
    # Our own channels leave a server alone that is not serving.
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = embedder_service_pb2_grpc.EmbedderServiceStub(channel)
        async with asyncio.timeout(60):
            while await status_of(server) == SERVING:
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await stub.Embed(Request(texts=["red"], input_type=QUERY))
                assert failed.value.code() is grpc.StatusCode.INTERNAL
                assert "device-side" not in (failed.value.details() or "")
    monkeypatch.undo()
    async with asyncio.timeout(60):
        await server.serving()
    await engine.close()


async def test_vectors_are_packed_little_endian(stub: Any) -> None:
    answer = await stub.Embed(Request(texts=["red"], input_type=QUERY))
    assert answer.vectors.dim == 32
    assert np.linalg.norm(np.frombuffer(answer.vectors.data, dtype="<f4")) == pytest.approx(1, abs=1e-5)
