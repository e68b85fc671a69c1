"""What happens around each call: error codes, cancellation, caps, default deadline, traces, logs and metrics."""

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from vitrine.call import Context
from vitrine.errors import InvalidArgument, NotFound, ResourceExhausted, Unauthenticated, invalid
from vitrine.guard import Door
from vitrine.interceptor import CallInterceptor
from vitrine.status import error_from_rpc
from vitrine.tracing import trace_id
from vitrine.v1.embedder_service_pb2 import EmbedRequest, EmbedResponse, EmbedStreamRequest, EmbedStreamResponse

EMBED = "/vitrine.v1.EmbedderService/Embed"


def request(text: str = "watch") -> EmbedRequest:
    return EmbedRequest(texts=[text])


async def failure(stub: Any, message: Any = None, **options: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Embed(message or request(), **options)
    return caught.value


def status_code_of(span: Any) -> int:
    """The gRPC status that a span says its call ended with."""
    code: int = span.attributes["rpc.grpc.status_code"]
    return code


def calls(code: str) -> float:
    return REGISTRY.get_sample_value("vitrine_calls_total", {"method": EMBED, "code": code}) or 0.0


async def test_an_error_of_ours_arrives_with_code_fields_and_reason(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        raise invalid("texts[1]", "是空的; remove it", reason="EMPTY_TEXT")

    server = await serve_embed(embed)
    with capture_logs() as logs:
        error = await failure(stub_to(server.port))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "texts[1]: 是空的; remove it"
    ours = error_from_rpc(error)
    assert isinstance(ours, InvalidArgument)
    assert (ours.reason, ours.violations[0].field) == ("EMPTY_TEXT", "texts[1]")
    assert [log["reason"] for log in logs if log["event"] == "call failed"] == ["EMPTY_TEXT"]


async def test_a_flood_of_refusals_does_not_fill_the_log(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        raise ResourceExhausted("full", retry_after_s=1.0)

    server = await serve_embed(embed)
    stub = stub_to(server.port)
    begun_s, before = time.monotonic(), calls("RESOURCE_EXHAUSTED")
    with capture_logs() as logs:
        await asyncio.gather(*(failure(stub) for _ in range(100)))
    lines = [log for log in logs if log["event"] == "call failed"]
    assert 5 <= len(lines) <= 5 * (int(time.monotonic() - begun_s) + 2)
    assert calls("RESOURCE_EXHAUSTED") - before == 100


async def test_a_refused_call_leaves_nothing_to_the_garbage_collector(serve_embed: Any, stub_to: Any) -> None:
    refusals = []

    class Refusal(ResourceExhausted):
        def __init__(self) -> None:
            super().__init__("full", retry_after_s=1.0)
            refusals.append(weakref.ref(self))

    async def embed(message: Any, context: Context) -> Any:
        raise Refusal

    server = await serve_embed(embed)
    stub = stub_to(server.port)
    gc.disable()
    try:
        assert (await failure(stub)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        async with asyncio.timeout(20):
            # The caller has its answer before the server has left the call, which sets no event.
            while refusals[0]() is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    finally:
        gc.enable()


async def test_an_unknown_exception_leaves_as_internal_with_a_trace_id_that_the_log_has(
    serve_embed: Any, stub_to: Any
) -> None:
    async def embed(message: Any, context: Context) -> Any:
        raise ValueError("password=hunter2")

    server = await serve_embed(embed)
    with capture_logs() as logs:
        error = await failure(stub_to(server.port), metadata=(("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"),))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == f"internal error (trace id {'ab' * 16})"
    [log] = [log for log in logs if log["event"] == "call failed"]
    assert isinstance(log["exc_info"], ValueError)


async def test_a_handler_that_cancels_itself_answers_cancelled(serve_embed: Any, stub_to: Any) -> None:
    """grpc#29248 (case 1): a handler that raised CancelledError left a client without deadline waiting for ever."""

    async def embed(message: Any, context: Context) -> Any:
        raise asyncio.CancelledError

    server = await serve_embed(embed)
    async with asyncio.timeout(5):
        call = stub_to(server.port).Embed(request())
        assert await call.code() is grpc.StatusCode.CANCELLED


async def test_the_first_status_stays_when_a_handler_raises_after_abort(serve_embed: Any, stub_to: Any) -> None:
    """grpc#33890 (case 33): what was raised after abort was swallowed silently."""

    async def embed(message: Any, context: Context) -> Any:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such text", (("hint", "look again"),))
        finally:
            raise ValueError("clean-up failed")

    def with_trace_id(_logger: Any, _method: str, event: Any) -> Any:
        return event | {"trace_id": trace_id()}

    server = await serve_embed(embed)
    with capture_logs() as logs:
        structlog.get_config()["processors"].insert(0, with_trace_id)
        error = await failure(stub_to(server.port), metadata=(("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"),))
        await server._interceptor.idle()
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no such text")
    assert ("hint", "look again") in tuple(error.trailing_metadata())
    [raised, after] = [log for log in logs if log["event"] in ("call failed", "raised after abort")]
    assert "clean-up failed" in str(raised["exc_info"])
    assert (after["event"], raised["trace_id"], after["trace_id"]) == ("raised after abort", "ab" * 16, "ab" * 16)


async def test_abort_survives_a_catch_all(serve_embed: Any, stub_to: Any) -> None:
    """grpc#36009 (case 34): abort raises a plain Exception, which catch-alls turned into UNKNOWN."""

    async def embed(message: Any, context: Context) -> Any:
        try:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad text")
        except Exception as error:
            raise RuntimeError("wrapped") from error

    server = await serve_embed(embed)
    error = await failure(stub_to(server.port))
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "bad text")


async def test_a_call_without_deadline_gets_the_servers(serve_embed: Any, stub_to: Any) -> None:
    ended = asyncio.Event()

    async def embed(message: Any, context: Context) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server = await serve_embed(embed, default_timeout_s=0.05)
    error = await failure(stub_to(server.port))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "0.05 s, the limit without a deadline" in (error.details() or "")
    assert ended.is_set()


async def test_a_timeout_of_the_handlers_own_is_no_deadline(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        raise TimeoutError("some library")

    server = await serve_embed(embed)
    assert (await failure(stub_to(server.port))).code() is grpc.StatusCode.INTERNAL


async def test_a_cancelled_call_reaches_its_handler_and_is_counted(serve_embed: Any, stub_to: Any) -> None:
    """leapfrogai#139: the backend went on computing after the client had cancelled."""
    begun = asyncio.Queue[None]()
    left = asyncio.Queue[None]()

    async def embed(message: Any, context: Context) -> Any:
        begun.put_nowait(None)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            left.put_nowait(None)
            raise

    server = await serve_embed(embed)
    stub = stub_to(server.port)
    before = calls("CANCELLED")
    running = [stub.Embed(request(), timeout=60) for _ in range(200)]
    async with asyncio.timeout(20):
        for _ in running:
            await begun.get()
        for call in running:
            call.cancel()
        for _ in running:
            await left.get()
        await server._interceptor.idle()
    assert calls("CANCELLED") - before == 200


async def test_a_call_whose_deadline_passed_is_counted_as_such(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        await asyncio.Event().wait()

    server = await serve_embed(embed)
    before = calls("DEADLINE_EXCEEDED")
    # On a busy machine the client may leave well before the server's own clock says so; not twenty times.
    for _ in range(20):
        error = await failure(stub_to(server.port), timeout=0.05)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(20):
            await server._interceptor.idle()
    assert calls("DEADLINE_EXCEEDED") > before


async def test_an_answer_above_the_cap_names_size_and_limit(serve_embed: Any, stub_to: Any) -> None:
    """grpc.io#1254 (case 15): 2,000 vectors of 1,024 floats broke on a cap that nobody named; as float16 they fit."""

    async def embed(message: Any, context: Context) -> Any:
        width = 2 if message.vector_type == 2 else 4
        return EmbedResponse(vectors={"data": bytes(2_000 * 1_024 * width), "dim": 1_024})

    server = await serve_embed(embed)
    stub = stub_to(server.port)
    error = await failure(stub)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "8192013 bytes and the limit is 4194304" in (error.details() or "")
    assert error_from_rpc(error).reason == "MESSAGE_TOO_LARGE"
    response = await stub.Embed(EmbedRequest(texts=["x"], vector_type="VECTOR_TYPE_FLOAT16"))
    assert len(response.vectors.data) == 2_000 * 1_024 * 2


async def test_a_streamed_answer_above_the_cap_names_size_and_limit(serve_embed: Any, stub_to: Any) -> None:
    async def embed_stream(messages: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for _ in messages:
            yield EmbedStreamResponse(response=EmbedResponse(prompt="x" * 3_000))

    server = await serve_embed(embed_stream=embed_stream, max_message_bytes=2_000)
    call = stub_to(server.port).EmbedStream(iter([EmbedStreamRequest()]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "the limit is 2000" in (caught.value.details() or "")


async def test_a_request_above_the_cap_names_size_and_limit_and_is_logged(serve_embed: Any, stub_to: Any) -> None:
    """text-embeddings-inference#50 (case 53): a 2.1 MB payload got a 413 and the server logged nothing."""
    server = await serve_embed(max_message_bytes=1_000_000)
    logged = asyncio.Event()
    with capture_logs() as logs:
        error = await failure(stub_to(server.port), request("x" * 2_100_000))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "2100005 vs. 1000000" in (error.details() or "")
        asyncio.get_running_loop().call_soon(logged.set)
        await logged.wait()
    [log] = [log for log in logs if log["event"] == "call ended unread"]
    assert (log["method"], log["max_message_bytes"]) == (EMBED, 1_000_000)


async def test_bytes_that_are_no_message_are_an_invalid_argument(serve_embed: Any, channel_to: Any) -> None:
    server = await serve_embed()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel_to(server.port).unary_unary(EMBED)(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    call = channel_to(server.port).stream_stream("/vitrine.v1.EmbedderService/EmbedStream")(iter([b"\xff\xff"]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_error_within_a_stream_arrives_after_the_answers_before_it(serve_embed: Any, stub_to: Any) -> None:
    closed = asyncio.Event()

    async def embed_stream(messages: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        try:
            async for message in messages:
                if not message.request.texts:
                    raise NotFound("no texts")
                yield EmbedStreamResponse(response=EmbedResponse(prompt=message.request.texts[0]))
        finally:
            closed.set()

    server = await serve_embed(embed_stream=embed_stream)
    call = stub_to(server.port).EmbedStream(iter([EmbedStreamRequest(request=request("a")), EmbedStreamRequest()]))
    assert (await call.read()).response.prompt == "a"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert closed.is_set()


async def test_abort_under_tracing_keeps_code_text_and_trailers(
    serve_embed: Any, stub_to: Any, exporter: InMemorySpanExporter
) -> None:
    """opentelemetry-python-contrib#2065 (case 30): the wrapper of the context broke abort with trailing metadata."""

    async def embed(message: Any, context: Context) -> Any:
        context.set_trailing_metadata((("kept", "yes"),))
        await context.abort(grpc.StatusCode.ALREADY_EXISTS, "twice", (("hint", "一次就够".encode().hex()),))

    server = await serve_embed(embed)
    exporter.clear()
    traceparent = f"00-{'12' * 16}-{'34' * 8}-01"
    error = await failure(stub_to(server.port), metadata=(("traceparent", traceparent),))
    await server._interceptor.idle()
    assert (error.code(), error.details()) == (grpc.StatusCode.ALREADY_EXISTS, "twice")
    assert dict(error.trailing_metadata())["hint"] == "一次就够".encode().hex()
    [span] = exporter.get_finished_spans()
    assert (span.name, status_code_of(span)) == (EMBED[1:], grpc.StatusCode.ALREADY_EXISTS.value[0])
    # It is the caller that was wrong.
    assert span.status.status_code is StatusCode.UNSET
    assert span.context is not None
    assert span.context.trace_id == int("12" * 16, 16)


async def test_trailers_set_before_an_error_of_ours_are_kept(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        context.set_trailing_metadata((("kept", "yes"),))
        raise ResourceExhausted("full", retry_after_s=2)

    server = await serve_embed(embed)
    error = await failure(stub_to(server.port))
    assert dict(error.trailing_metadata())["kept"] == "yes"
    ours = error_from_rpc(error)
    assert isinstance(ours, ResourceExhausted)
    assert ours.retry_after_s == 2


class RefuseAll(grpc.aio.ServerInterceptor):
    """An interceptor of the kind that checks who calls; health is asked by anybody."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Refuses every call but those of the health service."""
        if handler_call_details.method.startswith("/grpc.health."):
            return await continuation(handler_call_details)

        async def refuse(message: Any, context: Context) -> Any:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?", (("realm", "shop"),))

        return grpc.unary_unary_rpc_method_handler(refuse)


async def test_a_refusal_by_another_interceptor_is_a_span_with_its_status(
    stub_to: Any, exporter: InMemorySpanExporter
) -> None:
    """opentelemetry-python-contrib#2261 (case 31): abort from an interceptor crashed the instrumentation."""
    ours = CallInterceptor(default_timeout_s=5, max_message_bytes=1_000, on_internal=lambda: None)
    server = grpc.aio.server(interceptors=(ours, RefuseAll()))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    exporter.clear()
    try:
        error = await failure(stub_to(port))
    finally:
        await server.stop(5)
    await ours.idle()
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "who are you?")
    assert dict(error.trailing_metadata())["realm"] == "shop"
    [span] = exporter.get_finished_spans()
    assert status_code_of(span) == grpc.StatusCode.UNAUTHENTICATED.value[0]


class Closed:
    """A guard that lets in the first request of a call whose header says so, and no more."""

    async def admit(self, method: str, headers: Any, peer: str) -> None:
        assert method.startswith("/vitrine.v1.EmbedderService/")
        assert peer.startswith("ipv4:127.0.0.1:")
        if headers.get("x-api-key") != "right":
            raise Unauthenticated("who are you?", reason="CREDENTIALS_MISSING")

    async def admit_next(self) -> None:
        raise Unauthenticated("no more", reason="CREDENTIALS_EXPIRED")


async def test_who_is_refused_at_the_door_is_seen_in_span_and_metrics(
    serve_embed: Any, stub_to: Any, exporter: InMemorySpanExporter
) -> None:
    """opentelemetry-python-contrib#2261 (case 31): an abort by an interceptor broke the instrumentation."""
    came_in: list[Any] = []

    async def embed(message: Any, context: Context) -> Any:
        came_in.append(message)
        return EmbedResponse()

    server = await serve_embed(embed, door=Door(Closed()))
    stub, before = stub_to(server.port), calls("UNAUTHENTICATED")
    exporter.clear()
    # Refused before its request is read: what it holds does not matter.
    error = await failure(stub, EmbedRequest(texts=[]))
    assert (error.code(), error_from_rpc(error).reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")
    await stub.Embed(request(), metadata=[("x-api-key", "right")])
    assert len(came_in) == 1
    refused, answered = exporter.get_finished_spans()
    assert [status_code_of(span) for span in (refused, answered)] == [grpc.StatusCode.UNAUTHENTICATED.value[0], 0]
    assert calls("UNAUTHENTICATED") == before + 1


async def test_a_stream_is_let_in_request_by_request(serve_embed: Any, stub_to: Any) -> None:
    server = await serve_embed(door=Door(Closed()))
    stream = stub_to(server.port).EmbedStream(metadata=[("x-api-key", "right")])
    await stream.write(EmbedStreamRequest(request=request()))
    assert (await stream.read()).response.prompt == "watch"
    await stream.write(EmbedStreamRequest(request=request()))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert error_from_rpc(caught.value).reason == "CREDENTIALS_EXPIRED"
