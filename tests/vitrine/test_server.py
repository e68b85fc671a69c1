"""Servers: health that follows the self-test, reflection, draining, and processes that stop cleanly."""

import asyncio
import hashlib
import json
import signal
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from vitrine.call import Context
from vitrine.errors import FailedPrecondition, ResourceExhausted
from vitrine.health import LIVE
from vitrine.server import Server
from vitrine.server_settings import ServerSettings
from vitrine.status import error_from_rpc
from vitrine.v1 import embedder_service_pb2_grpc
from vitrine.v1.embedder_service_pb2 import EmbedRequest, EmbedResponse

SERVICE = "vitrine.v1.EmbedderService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def channel_to() -> AsyncIterator[Callable[..., grpc.aio.Channel]]:
    """Opens plain channels in place of our own, which leave a server alone that is not serving."""
    channels: list[grpc.aio.Channel] = []

    def open_to(port: int) -> grpc.aio.Channel:
        channels.append(grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_retries", 0)]))
        return channels[-1]

    yield open_to
    for channel in channels:
        await channel.close()


async def check(channel: grpc.aio.Channel, service: str = "", timeout_s: float = 20) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s, wait_for_ready=True)
    status: int = answer.status
    return status


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        # What is awaited happens on the other side of a socket, where no event can be set.
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_health_names_every_service_and_the_whole(serve_embed: Any, channel_to: Any) -> None:
    channel = channel_to((await serve_embed()).port)
    assert [await check(channel, service) for service in ("", SERVICE)] == [SERVING, SERVING]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await check(channel, "vitrine.v1.NoService")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_does_not_stand_in_line_with_calls(serve_embed: Any, channel_to: Any) -> None:
    begun = 0

    async def embed(message: EmbedRequest, context: Context) -> EmbedResponse:
        nonlocal begun
        begun += 1
        return EmbedResponse()

    channel = channel_to((await serve_embed(embed)).port)
    await check(channel)
    stub = embedder_service_pb2_grpc.EmbedderServiceStub(channel)
    calls = [asyncio.ensure_future(stub.Embed(EmbedRequest(), timeout=60)) for _ in range(200)]
    await asyncio.sleep(0)
    assert await check(channel) == SERVING
    begun_before = begun
    await asyncio.gather(*calls)
    # Called last, behind them all it would be answered last.
    assert begun_before < begun == 200


@pytest.mark.parametrize(
    ("symbol", "found"),
    [
        ("vitrine.v1.EmbedderService", True),
        ("vitrine.v1.EmbedderService.Embed", True),
        ("vitrine.v1.EmbedRequest", True),
        ("vitrine.v1.EmbedderService.Forget", False),
        ("vitrine.v1.Nothing.Embed", False),
    ],
)
async def test_reflection_finds_services_messages_and_methods(
    serve_embed: Any, channel_to: Any, symbol: str, found: bool
) -> None:
    """ghz asks for the file that holds a method."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel_to((await serve_embed()).port))
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)]))
    answer = await anext(aiter(call))
    assert bool(answer.file_descriptor_response.file_descriptor_proto) is found
    assert answer.HasField("error_response") is not found


async def test_reflection_lists_the_services(serve_embed: Any, channel_to: Any) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel_to((await serve_embed()).port))
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await call.read()
    assert {service.name for service in answer.list_services_response.service} == {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_a_port_in_use_is_refused_by_name(serve_embed: Any) -> None:
    port = (await serve_embed()).port
    second = Server("second", ServerSettings(port=port))
    with pytest.raises(FailedPrecondition, match=rf"cannot listen on 127\.0\.0\.1:{port}.*in use"):
        await second.listen([SERVICE])


async def test_not_serving_while_the_model_loads_then_serving(channel_to: Any) -> None:
    """microservices-demo#62 (case 37): probes without an answer while a slow model loaded restarted it for ever."""
    server = Server("slow", ServerSettings())
    await server.listen([SERVICE])
    try:
        channel = channel_to(server.port)
        assert [await check(channel, service) for service in ("", SERVICE)] == [NOT_SERVING, NOT_SERVING]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await embedder_service_pb2_grpc.EmbedderServiceStub(channel).Embed(EmbedRequest(texts=["x"]))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert error_from_rpc(caught.value).reason == "STARTING"
        tested = asyncio.Event()
        server.open(tested.wait)  # type: ignore[arg-type]
        assert await check(channel) == NOT_SERVING
        tested.set()
        await server.serving()
        assert [await check(channel, service) for service in ("", SERVICE)] == [SERVING, SERVING]
    finally:
        await server.stop(0)


class Model:
    """A model that can break."""

    def __init__(self) -> None:
        self.fault: Exception | None = None

    async def self_test(self) -> None:
        """Raises the fault."""
        if self.fault:
            raise self.fault

    async def embed(self, message: Any, context: Context) -> Any:
        """Raises the fault, or answers."""
        await self.self_test()
        return EmbedResponse()


async def test_a_model_that_breaks_in_service_is_not_serving_and_comes_back(serve_embed: Any, channel_to: Any) -> None:
    """server#3627 (case 70): health stayed green while every inference failed."""
    model = Model()
    server = await serve_embed(model.embed, self_test=model.self_test, self_test_interval_s=0.05)
    channel = channel_to(server.port)
    model.fault = RuntimeError("CUDA assert")
    with capture_logs() as logs:
        await until(lambda: _is(channel, NOT_SERVING))
    assert "self-test failed" in [log["event"] for log in logs]
    # Who restarts what hangs is not to restart this.
    assert await check(channel, LIVE) == SERVING
    model.fault = None
    await until(lambda: _is(channel, SERVING))


async def _is(channel: grpc.aio.Channel, status: int) -> bool:
    return await check(channel, SERVICE) == status


async def test_an_internal_error_brings_the_self_test_forward(serve_embed: Any, channel_to: Any, stub_to: Any) -> None:
    """text-embeddings-inference#775: a broken replica fails fast and draws more traffic until its health turns."""
    model = Model()
    server = await serve_embed(model.embed, self_test=model.self_test, self_test_interval_s=3_600)
    channel, stub = channel_to(server.port), stub_to(server.port)
    model.fault = RuntimeError("CUDA assert")

    async def turned() -> bool:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Embed(EmbedRequest(texts=["x"]))
        return await _is(channel, NOT_SERVING)

    await until(turned)


async def test_a_full_queue_is_no_reason_to_be_taken_out(serve_embed: Any, channel_to: Any) -> None:
    model = Model()
    tests = asyncio.Queue[None]()

    async def self_test() -> None:
        tests.put_nowait(None)
        await model.self_test()

    server = await serve_embed(model.embed, self_test=self_test, self_test_interval_s=0.01)
    model.fault = ResourceExhausted("queue full")
    async with asyncio.timeout(20):
        for _ in range(tests.qsize() + 3):
            await tests.get()
    assert await _is(channel_to(server.port), SERVING)


async def test_a_self_test_that_hangs_has_failed(serve_embed: Any, channel_to: Any) -> None:
    hang = asyncio.Event()

    async def self_test() -> None:
        if hang.is_set():
            await asyncio.Event().wait()

    server = await serve_embed(self_test=self_test, self_test_interval_s=0.02, self_test_timeout_s=0.05)
    hang.set()
    channel = channel_to(server.port)
    await until(lambda: _is(channel, NOT_SERVING))


async def test_health_answers_while_the_service_is_saturated(serve_embed: Any, channel_to: Any, stub_to: Any) -> None:
    """vllm#38157, kserve#5019 (cases 18, 19): health and light calls waited behind heavy work on the same loop."""
    done = threading.Event()

    def crunch() -> None:
        while not done.is_set():
            hashlib.sha256(bytes(1_000_000)).digest()

    async def embed(message: Any, context: Context) -> Any:
        if message.texts[0] == "heavy":
            await asyncio.to_thread(crunch)
        return EmbedResponse()

    server = await serve_embed(embed)
    stub, channel = stub_to(server.port), channel_to(server.port)
    heavy = [stub.Embed(EmbedRequest(texts=["heavy"]), timeout=60) for _ in range(100)]
    try:
        for _ in range(10):
            assert await check(channel) == SERVING
            await stub.Embed(EmbedRequest(texts=["light"]), timeout=20)
    finally:
        done.set()
        for call in heavy:
            await call


async def test_huge_messages_do_not_hold_up_health(serve_embed: Any, channel_to: Any) -> None:
    """grpc#39803 (case 17): deserialising 100 MB on the loop made health probes time out; the cap refuses it early."""
    server = await serve_embed()
    channel = channel_to(server.port)

    def send_huge() -> grpc.StatusCode:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}", [("grpc.max_send_message_length", -1)]) as huge:
            try:
                huge.unary_unary(f"/{SERVICE}/Embed")(bytes(100_000_000), timeout=60)
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                return code
        raise AssertionError("100 MB were accepted")

    sending = asyncio.create_task(asyncio.to_thread(send_huge))
    probes = 0
    while not sending.done() or not probes:
        assert await check(channel) == SERVING
        probes += 1
    assert await sending is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_stop_waits_for_all_in_flight_when_one_aborts(serve_embed: Any, stub_to: Any) -> None:
    """grpc#37239: stop(grace) came back while a handler that had aborted was still in its clean-up."""
    begun = asyncio.Queue[None]()
    release = asyncio.Event()
    cleaned = []

    async def embed(message: Any, context: Context) -> Any:
        begun.put_nowait(None)
        if message.texts[0] == "0":
            try:
                await context.abort(grpc.StatusCode.NOT_FOUND, "no such text")
            finally:
                await release.wait()
                # Let every answer go out first: gRPC itself would come back from stop then.
                await asyncio.sleep(0.2)
                cleaned.append(True)
        await release.wait()
        return EmbedResponse(prompt=message.texts[0])

    server = await serve_embed(embed)
    stub = stub_to(server.port)
    running = [stub.Embed(EmbedRequest(texts=[str(number)]), timeout=60) for number in range(50)]
    async with asyncio.timeout(20):
        for _ in running:
            await begun.get()
        with pytest.raises(grpc.aio.AioRpcError, match="no such text"):
            await running[0]
        stopping = asyncio.create_task(server.stop(10))
        await until(lambda: _refuses(stub_to(server.port)))
        release.set()
        answers = [await call for call in running[1:]]
        await stopping
    assert [answer.prompt for answer in answers] == [str(number) for number in range(1, 50)]
    assert cleaned == [True]


async def _refuses(stub: Any) -> bool:
    call = stub.Embed(EmbedRequest(texts=["late"]), timeout=1)
    return await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_every_watcher_is_told_when_another_has_left(serve_embed: Any, channel_to: Any) -> None:
    """grpc_health's own servicer forgot all watchers of a service when one of them left."""
    model = Model()
    server = await serve_embed(self_test=model.self_test, self_test_interval_s=0.02)
    health = health_pb2_grpc.HealthStub(channel_to(server.port))
    watched = health_pb2.HealthCheckRequest(service=SERVICE)
    leaving, staying = health.Watch(watched), health.Watch(watched)
    assert [(await watch.read()).status for watch in (leaving, staying)] == [SERVING, SERVING]
    leaving.cancel()
    # The server learns of it before it answers this, which is on the same connection.
    await health.Check(health_pb2.HealthCheckRequest())
    model.fault = RuntimeError("CUDA assert")
    async with asyncio.timeout(20):
        assert (await staying.read()).status == NOT_SERVING


async def test_a_watch_tells_of_an_unknown_service(channel_to: Any, serve_embed: Any) -> None:
    health = health_pb2_grpc.HealthStub(channel_to((await serve_embed()).port))
    watch = health.Watch(health_pb2.HealthCheckRequest(service="vitrine.v1.NoService"))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


async def test_a_watch_does_not_hold_up_the_stop(serve_embed: Any, channel_to: Any) -> None:
    server = await serve_embed()
    watch = health_pb2_grpc.HealthStub(channel_to(server.port)).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == SERVING
    async with asyncio.timeout(60):
        await server.stop(3_600)
    assert (await watch.read()).status == NOT_SERVING
    assert await watch.read() is grpc.aio.EOF


async def test_health_turns_before_the_stop_and_the_grace_ends(serve_embed: Any, channel_to: Any, stub_to: Any) -> None:
    never = asyncio.Event()
    begun = asyncio.Event()

    async def embed(message: Any, context: Context) -> Any:
        begun.set()
        await never.wait()
        return EmbedResponse()

    server = await serve_embed(embed)
    watch = health_pb2_grpc.HealthStub(channel_to(server.port)).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    assert (await watch.read()).status == SERVING
    call = stub_to(server.port).Embed(EmbedRequest(texts=["x"]), timeout=60)
    await begun.wait()
    async with asyncio.timeout(20):
        stopping = asyncio.create_task(server.stop(0.1))
        assert (await watch.read()).status == NOT_SERVING
        await stopping
        assert await call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@pytest.fixture
async def start_process() -> AsyncIterator[Callable[..., Awaitable[Process]]]:
    """Starts tests/vitrine/served_process.py."""
    processes: list[Process] = []

    async def start(port: int = 0) -> Process:
        program = str(Path(__file__).with_name("served_process.py"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, program, str(port), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def log_line(process: Process, event: str) -> dict[str, Any]:
    """The process's next log of this event."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            # gRPC's core writes lines of its own.
            entry: dict[str, Any] = json.loads(line) if line.startswith(b"{") else {"event": ""}
            if entry["event"] == event:
                return entry
    raise AssertionError(f"ended without {event!r}")


def tell(process: Process, word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n".encode())


async def test_sigterm_drains_the_call_in_flight_and_exits_0(start_process: Any, stub_to: Any, channel_to: Any) -> None:
    """grpc#37239, and the whole way: not serving while loading, serving, a call held over SIGTERM, exit 0."""
    process = await start_process()
    port = (await log_line(process, "listening"))["port"]
    assert await check(channel_to(port)) == NOT_SERVING
    tell(process, "go")
    await log_line(process, "serving")
    call = stub_to(port).Embed(EmbedRequest(texts=["held"]), timeout=60)
    assert await process.stdout.readline() == b"held\n"
    process.send_signal(signal.SIGTERM)
    await until(lambda: _refuses(stub_to(port)))
    tell(process, "answer")
    assert (await call).prompt == "held"
    out, err = await process.communicate()
    # On a busy machine a late call may come before the signal is seen, and is held, too.
    *held, last = out.splitlines()
    assert (process.returncode, set(held) - {b"late"}, last) == (0, set(), b"closed")
    # gRPC's core writes lines of its own.
    entries = [json.loads(line) for line in err.splitlines() if line.startswith(b"{")]
    assert entries[-1]["event"] == "stopped"
    assert [entry for entry in entries if entry["level"] not in ("info", "warning")] == []


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "go"), (signal.SIGTERM, "wait")])
async def test_a_signal_ends_an_idle_or_loading_server_quietly(
    start_process: Any, number: signal.Signals, word: str
) -> None:
    """grpc#26123: Ctrl-C on an aio server gave a stack trace instead of a clean end."""
    process = await start_process()
    await log_line(process, "listening")
    if word == "go":
        tell(process, word)
        await log_line(process, "serving")
    process.send_signal(number)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in err
    assert json.loads(err.splitlines()[-1])["event"] == "stopped"


async def test_a_process_whose_port_is_taken_says_so_and_exits_1(start_process: Any, serve_embed: Any) -> None:
    port = (await serve_embed()).port
    process = await start_process(port)
    entry = await log_line(process, "cannot serve")
    assert f"cannot listen on 127.0.0.1:{port}" in entry["error"]
    await process.communicate()
    assert process.returncode == 1
