"""Channels and calls: errors, deadlines, cancellation, replicas, restarts, pings, proxies and caps."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest

from loadtest.faults.name_server import name_server
from tests.allocated import TELLS, allocated_bytes
from vitrine.call import Context, deadline_of
from vitrine.channel import ChannelSettings, call, open_channel, stream
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal, NotFound, ResourceExhausted, Unavailable
from vitrine.server_settings import ServerSettings
from vitrine.tracing import server_span, trace_id
from vitrine.v1.embedder_service_pb2 import EmbedRequest, EmbedResponse, EmbedStreamRequest
from vitrine.v1.embedder_service_pb2_grpc import EmbedderServiceStub, add_EmbedderServiceServicer_to_server

REQUEST = EmbedRequest(texts=["watch"])


def soon() -> Deadline:
    """Time enough for any test, and an end to one that hangs."""
    return Deadline.after(20)


async def test_an_error_arrives_as_it_was_raised(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        raise NotFound("no such text", reason="TEXT_NOT_FOUND")

    server = await serve_embed(embed)
    with pytest.raises(NotFound, match="no such text") as caught:
        await call(stub_to(server.port).Embed, REQUEST, deadline=soon())
    assert caught.value.reason == "TEXT_NOT_FOUND"


async def test_a_server_that_is_away_is_unavailable(stub_to: Any, free_port: int) -> None:
    with pytest.raises(Unavailable):
        await call(stub_to(free_port).Embed, REQUEST, deadline=soon())


async def test_no_time_left_sends_nothing(serve_embed: Any, stub_to: Any) -> None:
    reached = []

    async def embed(message: Any, context: Context) -> Any:
        reached.append(message)

    server = await serve_embed(embed)
    with pytest.raises(DeadlineExceeded):
        await call(stub_to(server.port).Embed, REQUEST, deadline=Deadline.after(0))
    assert not reached


async def test_time_over_while_the_server_works_is_deadline_exceeded(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        await asyncio.Event().wait()

    server = await serve_embed(embed)
    with pytest.raises(DeadlineExceeded):
        await call(stub_to(server.port).Embed, REQUEST, deadline=Deadline.after(0.1))


async def test_a_call_cancelled_by_its_server_does_not_cancel_its_caller(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        raise asyncio.CancelledError

    server = await serve_embed(embed)
    with pytest.raises(Unavailable, match="the server left the call"):
        await call(stub_to(server.port).Embed, REQUEST, deadline=soon())


async def test_closing_the_channel_does_not_cancel_the_callers(serve_embed: Any) -> None:
    begun = asyncio.Event()

    async def embed(message: Any, context: Context) -> Any:
        begun.set()
        await asyncio.Event().wait()

    server = await serve_embed(embed)
    channel = open_channel(f"127.0.0.1:{server.port}")
    waiting = asyncio.create_task(call(EmbedderServiceStub(channel).Embed, REQUEST, deadline=soon()))
    await begun.wait()
    await channel.close()
    with pytest.raises(Unavailable):
        await waiting


async def test_deadline_and_cancellation_go_on_from_hop_to_hop(serve_embed: Any, stub_to: Any) -> None:
    """leapfrogai#139: a client's cancel must end the work on every hop, and its deadline bound it."""
    left: asyncio.Queue[str] = asyncio.Queue()
    seen: asyncio.Queue[float] = asyncio.Queue()

    async def work(message: Any, context: Context) -> Any:
        seen.put_nowait(deadline_of(context, 1_000).remaining_s())
        try:
            await asyncio.Event().wait()
        finally:
            left.put_nowait("worker")

    worker = stub_to((await serve_embed(work)).port)

    async def forward(message: Any, context: Context) -> Any:
        deadline = deadline_of(context, 1_000)
        try:
            return await call(worker.Embed, message, deadline=deadline)
        finally:
            left.put_nowait("forwarder")

    stub = stub_to((await serve_embed(forward)).port)
    async with asyncio.timeout(20):
        caller = asyncio.create_task(call(stub.Embed, REQUEST, deadline=Deadline.after(15)))
        assert 0 < await seen.get() <= 15
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert {await left.get(), await left.get()} == {"worker", "forwarder"}
        with pytest.raises(DeadlineExceeded):
            await call(stub.Embed, REQUEST, deadline=Deadline.after(0.2))
        assert await seen.get() < 0.3
        assert {await left.get(), await left.get()} == {"worker", "forwarder"}


async def test_without_a_deadline_the_servers_default_holds(serve_embed: Any, stub_to: Any) -> None:
    seen = []

    async def embed(message: Any, context: Context) -> Any:
        seen.append(deadline_of(context, 7).remaining_s())
        return EmbedResponse()

    await stub_to((await serve_embed(embed)).port).Embed(REQUEST)
    assert 6 < seen[0] <= 7


async def test_the_trace_goes_on_to_the_server(serve_embed: Any, stub_to: Any) -> None:
    async def embed(message: Any, context: Context) -> Any:
        return EmbedResponse(prompt=trace_id())

    stub = stub_to((await serve_embed(embed)).port)
    with server_span("search", {}):
        assert (await call(stub.Embed, REQUEST, deadline=soon())).prompt == trace_id() != ""


async def test_streams_carry_answers_and_errors(serve_embed: Any, stub_to: Any) -> None:
    async def requests() -> AsyncIterator[Any]:
        for text in ("a", "b"):
            yield EmbedStreamRequest(request=EmbedRequest(texts=[text]))

    stub = stub_to((await serve_embed()).port)
    answers = [each.response.prompt async for each in stream(stub.EmbedStream, requests(), deadline=soon())]
    assert answers == ["a", "b"]

    async def refuse(messages: Any, context: Context) -> AsyncIterator[Any]:
        async for _ in messages:
            raise ResourceExhausted("full", retry_after_s=1)
        yield

    async def one_request() -> AsyncIterator[Any]:
        yield EmbedStreamRequest()
        await asyncio.Event().wait()

    stub = stub_to((await serve_embed(embed_stream=refuse)).port)
    with pytest.raises(ResourceExhausted, match="full") as caught:
        _ = [each async for each in stream(stub.EmbedStream, one_request(), deadline=soon())]
    assert caught.value.retry_after_s == 1


async def test_a_stream_that_ends_while_it_is_written_to_is_unavailable_or_tells_why(
    serve_embed: Any, stub_to: Any
) -> None:
    """grpc.aio itself says INTERNAL "Internal error from Core" when the server's end crosses a request."""

    async def refuse(messages: Any, context: Context) -> AsyncIterator[Any]:
        async for _ in messages:
            raise ResourceExhausted("full")
        yield

    async def many() -> AsyncIterator[Any]:
        for _ in range(1_000):
            yield EmbedStreamRequest(request=EmbedRequest(texts=["x" * 1_000]))

    stub = stub_to((await serve_embed(embed_stream=refuse)).port)
    for _ in range(20):
        with pytest.raises((Unavailable, ResourceExhausted)):
            _ = [each async for each in stream(stub.EmbedStream, many(), deadline=soon())]


async def test_what_the_requests_raise_reaches_the_caller(serve_embed: Any, stub_to: Any) -> None:
    async def broken() -> AsyncIterator[Any]:
        yield EmbedStreamRequest(request=EmbedRequest(texts=["a"]))
        raise OSError("disk gone")

    stub = stub_to((await serve_embed()).port)
    with pytest.raises(OSError, match="disk gone"):
        _ = [each async for each in stream(stub.EmbedStream, broken(), deadline=soon())]


async def test_a_request_above_the_cap_is_refused_before_it_is_sent(serve_embed: Any, stub_to: Any) -> None:
    """text-embeddings-inference#50 (case 53): the error names the bytes and the limit."""
    stub = stub_to((await serve_embed()).port)
    with pytest.raises(ResourceExhausted, match=r"\(5000005 vs\. 4194304\)"):
        await call(stub.Embed, EmbedRequest(texts=["x" * 5_000_000]), deadline=soon())


def naming(name: str) -> Any:
    """A handler that answers with its replica's name."""

    async def embed(message: Any, context: Context) -> Any:
        return EmbedResponse(prompt=name)

    return embed


async def names_that_answer(stub: Any, expected: set[str]) -> None:
    """Calls until all of `expected` have answered."""
    seen: set[str] = set()
    async with asyncio.timeout(20):
        while seen < expected:
            seen.add((await call(stub.Embed, REQUEST, deadline=soon())).prompt)
            # The name server and the replicas live on this loop.
            await asyncio.sleep(0.005)
    assert seen == expected


async def test_calls_spread_evenly_over_replicas(serve_embed: Any, stub_to: Any) -> None:
    ports = [(await serve_embed(naming(name))).port for name in "abc"]
    stub = stub_to("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports))
    await names_that_answer(stub, {"a", "b", "c"})
    counts = dict.fromkeys("abc", 0)
    for _ in range(300):
        counts[(await call(stub.Embed, REQUEST, deadline=soon())).prompt] += 1
    assert all(90 <= count <= 110 for count in counts.values()), counts


async def test_a_replica_added_behind_the_name_takes_load(serve_embed: Any, stub_to: Any) -> None:
    """grpc-go#5621: a service scaled up behind a headless name, and the new replicas got nothing."""
    fast = {"max_connection_age_s": 0.3}
    first = await serve_embed(naming("first"), host="127.0.0.2", **fast)
    async with name_server() as names:
        names.addresses["embedder.test"] = ["127.0.0.2"]
        stub = stub_to(f"dns://127.0.0.1:{names.port}/embedder.test:{first.port}", resolve_interval_s=0.1)
        await names_that_answer(stub, {"first"})
        await serve_embed(naming("second"), host="127.0.0.3", port=first.port, **fast)
        await serve_embed(naming("third"), host="127.0.0.4", port=first.port, **fast)
        names.addresses["embedder.test"] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
        await names_that_answer(stub, {"first", "second", "third"})


async def test_a_replica_that_stops_takes_no_call_with_it(serve_embed: Any, stub_to: Any) -> None:
    replicas = {name: await serve_embed(naming(name)) for name in "ab"}
    stub = stub_to("ipv4:" + ",".join(f"127.0.0.1:{server.port}" for server in replicas.values()))
    await names_that_answer(stub, {"a", "b"})
    stopping = asyncio.create_task(replicas["a"].stop(5))
    for _ in range(100):
        await call(stub.Embed, REQUEST, deadline=soon())
    await stopping
    for _ in range(10):
        assert (await call(stub.Embed, REQUEST, deadline=soon())).prompt == "b"


async def test_a_replica_that_fails_fast_is_left_alone_until_it_is_well(serve_embed: Any, stub_to: Any) -> None:
    """text-embeddings-inference#775: a dead GPU failed at once, and so drew more traffic than the others."""
    broken = False

    async def self_test() -> None:
        if broken:
            raise RuntimeError("CUDA assert")

    async def embed(message: Any, context: Context) -> Any:
        await self_test()
        return EmbedResponse(prompt="a")

    ill = await serve_embed(embed, self_test=self_test, self_test_interval_s=0.05)
    well = await serve_embed(naming("b"))
    stub = stub_to(f"ipv4:127.0.0.1:{ill.port},127.0.0.1:{well.port}")
    await names_that_answer(stub, {"a", "b"})
    broken = True
    row = 0
    async with asyncio.timeout(20):
        while row < 100:
            try:
                row = row + 1 if (await call(stub.Embed, REQUEST, deadline=soon())).prompt == "b" else 0
            except Internal:
                row = 0
    broken = False
    await names_that_answer(stub, {"a", "b"})


async def only_is_called(stub: Any, name: str, timeout_s: float) -> int:
    """Calls, five at once, until a hundred in a row were answered by the replica of that name; how many were not."""
    failed = row = 0

    async def one() -> None:
        nonlocal failed, row
        try:
            answer = await call(stub.Embed, REQUEST, deadline=Deadline.after(timeout_s))
            row = row + 1 if answer.prompt == name else 0
        except (Internal, DeadlineExceeded):
            failed, row = failed + 1, 0
        await asyncio.sleep(0.02)

    async with asyncio.timeout(40):
        while row < 100:
            await asyncio.gather(*(one() for _ in range(5)))
    return failed


async def test_71_a_replica_that_fails_fast_and_calls_itself_well_is_left_alone(serve_embed: Any, stub_to: Any) -> None:
    """text-embeddings-inference#775, for what no self-test finds: most of what it is asked, it fails at once."""

    async def embed(message: Any, context: Context) -> Any:
        raise RuntimeError("CUDA assert")

    ill = await serve_embed(embed)
    well = await serve_embed(naming("b"))
    stub = stub_to(f"ipv4:127.0.0.1:{ill.port},127.0.0.1:{well.port}", eject_s=30)
    assert await only_is_called(stub, "b", 20) > 0


async def test_a_replica_that_hangs_costs_a_deadline_and_then_nothing_until_it_is_well(
    serve_embed: Any, stub_to: Any
) -> None:
    hanging = asyncio.Event()

    async def embed(message: Any, context: Context) -> Any:
        await hanging.wait()
        return EmbedResponse(prompt="a")

    ill = await serve_embed(embed)
    well = await serve_embed(naming("b"))
    stub = stub_to(f"ipv4:127.0.0.1:{ill.port},127.0.0.1:{well.port}", eject_s=2)
    assert await only_is_called(stub, "b", 0.5) > 0
    hanging.set()
    await names_that_answer(stub, {"a", "b"})


@pytest.mark.parametrize("eject_s", [1e-5, 0.1, 1.1])
async def test_any_time_to_leave_a_replica_alone_makes_a_channel(
    serve_embed: Any, stub_to: Any, eject_s: float
) -> None:
    server = await serve_embed(naming("a"))
    assert (await call(stub_to(server.port, eject_s=eject_s).Embed, REQUEST, deadline=soon())).prompt == "a"


async def test_one_replica_alone_is_never_left_alone(serve_embed: Any, stub_to: Any) -> None:
    broken = True

    async def embed(message: Any, context: Context) -> Any:
        if broken:
            raise NotFound("no such text")
        return EmbedResponse(prompt="a")

    stub = stub_to((await serve_embed(embed)).port)
    until = Deadline.after(4.5)
    while until.remaining_s() > 0:
        with pytest.raises(NotFound):
            await call(stub.Embed, REQUEST, deadline=soon())
        await asyncio.sleep(0.02)
    broken = False
    assert (await call(stub.Embed, REQUEST, deadline=soon())).prompt == "a"


async def test_a_restart_under_load_is_not_seen(serve_embed: Any, stub_to: Any) -> None:
    """grpc#8296: the first call after a restart always failed."""
    server = await serve_embed(naming("old"))
    stub = stub_to(server.port)
    begun = asyncio.Event()

    async def load() -> str:
        answer = ""
        while answer != "new":
            answer = (await call(stub.Embed, REQUEST, deadline=soon())).prompt
            if answer == "old":
                begun.set()
        return answer

    callers = [asyncio.create_task(load()) for _ in range(8)]
    async with asyncio.timeout(20):
        await begun.wait()
        await server.stop(5)
        await serve_embed(naming("new"), port=server.port)
        assert await asyncio.gather(*callers) == ["new"] * 8


async def test_traffic_comes_back_soon_after_a_long_stop(serve_embed: Any, stub_to: Any) -> None:
    """security_observability#192: the channel's backoff kept it away for up to 120 s after the server was back."""
    server = await serve_embed(naming("old"))
    stub = stub_to(server.port, retry_attempts=1)
    await call(stub.Embed, REQUEST, deadline=soon())
    await server.stop(0)
    # Past the channel's longest wait between two attempts, so that its backoff has grown as far as it may.
    away = Deadline.after(1.5)
    while away.remaining_s() > 0:
        with pytest.raises(Unavailable):
            await call(stub.Embed, REQUEST, deadline=soon())
        await asyncio.sleep(0.02)
    await serve_embed(naming("new"), port=server.port)
    answer = await call(stub.Embed, REQUEST, deadline=Deadline.after(5), wait_for_ready=True)
    assert answer.prompt == "new"


async def test_proxy_variables_do_not_matter(
    serve_embed: Any, stub_to: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """serve#5966 (case 38): with proxy variables set, calls between services went to the proxy and never came back."""
    for name in ("http_proxy", "grpc_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = await serve_embed()
    assert (await call(stub_to(server.port).Embed, REQUEST, deadline=soon())).prompt == "watch"
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as unprepared:
        with pytest.raises(Unavailable):
            await call(EmbedderServiceStub(unprepared).Embed, REQUEST, deadline=Deadline.after(5))


def test_clients_ping_no_more_often_than_servers_allow() -> None:
    """sglang#19986 (case 9): the server's default allowed one ping in 300 s, and clients were sent away."""
    assert ChannelSettings().keepalive_time_s > ServerSettings().min_ping_interval_s


class FrameCounter:
    """A TCP proxy that counts a client's connections and the PING frames that it starts."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self.connections = 0
        self.pings = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection."""
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(up_reader, writer))
                both.create_task(self._count(reader, up_writer))
        finally:
            up_writer.close()
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await reader.readexactly(len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
            while True:
                head = await reader.readexactly(9)
                kind, flags = head[3], head[4]
                self.pings += kind == 6 and not flags & 1
                writer.write(head + await reader.readexactly(int.from_bytes(head[:3], "big")))
        except asyncio.IncompleteReadError:
            writer.close()


@asynccontextmanager
async def listening(accept: Callable[..., Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    """A TCP server on a free port; ends with all of its connections."""
    handling: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(accept(reader, writer))
        handling[task] = writer
        # Also of a task that was cancelled before it began.
        task.add_done_callback(lambda _: writer.close())

    async with await asyncio.start_server(accepted, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    # Closed first: a client connects again as soon as its connection is gone.
    for task, writer in handling.items():
        writer.transport.abort()
        task.cancel()
    if handling:
        await asyncio.wait(handling, timeout=5)


async def test_our_channel_sends_no_bandwidth_pings(serve_embed: Any) -> None:
    """grpc-java#5188 (case 10): Python's bandwidth pings made a strict proxy close the connection: too_many_pings."""

    async def embed(message: Any, context: Context) -> Any:
        return EmbedResponse(prompt="x" * 50_000)

    server = await serve_embed(embed)
    pings = {}
    for name, options in (("ours", None), ("default", [])):
        counter = FrameCounter(server.port)
        async with listening(counter.accept) as port:
            target = f"127.0.0.1:{port}"
            channel = open_channel(target) if options is None else grpc.aio.insecure_channel(target, options)
            async with channel:
                metadata = tuple((f"header-{index}", "x" * 50) for index in range(40))
                for _ in range(200):
                    await EmbedderServiceStub(channel).Embed(REQUEST, metadata=metadata, timeout=20)
        assert counter.connections == 1
        pings[name] = counter.pings
    assert pings["ours"] == 0
    assert pings["default"] > 0


async def test_pings_are_allowed_by_our_server_and_fewer_after_another_one_complains(
    serve_embed: Any, stub_to: Any
) -> None:
    """sglang#19986 (case 9) and grpc#16210: clients sent away for their pings, which came back in a storm.

    Our server lets a long call with pings be. A strict one says ENHANCE_YOUR_CALM; the call is tried once more, and
    the client pings half as often, which is let be.
    """
    begun = 0

    async def embed(message: Any, context: Context) -> Any:
        nonlocal begun
        begun += 1
        # The time in which gRPC sends its pings, one a second.
        await asyncio.sleep(4.5)
        return EmbedResponse()

    ours = await serve_embed(embed, min_ping_interval_s=0.5)
    strict = grpc.aio.server(
        options=[("grpc.http2.min_ping_interval_without_data_ms", 1_500), ("grpc.http2.max_ping_strikes", 1)]
    )
    methods = SimpleNamespace(Embed=embed, EmbedStream=None, EncodeHistory=None, GetModel=None)
    add_EmbedderServiceServicer_to_server(methods, strict)
    to_ours, to_strict = FrameCounter(ours.port), FrameCounter(strict.add_insecure_port("127.0.0.1:0"))
    await strict.start()
    try:
        async with listening(to_ours.accept) as our_port, listening(to_strict.accept) as strict_port:
            stubs = [stub_to(port, keepalive_time_s=1) for port in (our_port, strict_port)]
            await asyncio.gather(*(call(stub.Embed, REQUEST, deadline=soon()) for stub in stubs))
            assert (to_ours.connections, to_strict.connections) == (1, 2)
            assert to_ours.pings >= 3
            assert begun == 3
    finally:
        await strict.stop(0)


async def test_a_server_that_stands_still_is_left_when_it_answers_no_ping(stub_to: Any) -> None:
    """Of a process that hangs the kernel still takes what is sent; a connection to it was held for over a minute."""

    async def stand_still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Empty SETTINGS, and the acknowledgement of the client's: then the connection counts as ready.
        writer.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + bytes([0, 0, 0, 4, 1, 0, 0, 0, 0]))
        while await reader.read(65_536):
            pass
        writer.close()

    async with listening(stand_still) as port:
        stub = stub_to(port, keepalive_time_s=1, keepalive_timeout_s=1, retry_attempts=1)
        with pytest.raises(Unavailable):
            await call(stub.Embed, REQUEST, deadline=Deadline.after(30))


async def test_memory_does_not_grow_with_calls_or_channels(serve_embed: Any, stub_to: Any) -> None:
    """grpc#36986: channels made again and again, and calls, leaked memory."""
    server = await serve_embed()
    stub = stub_to(server.port)
    process = psutil.Process()

    async def use(channels: int, calls: int) -> None:
        for _ in range(calls):
            await call(stub.Embed, REQUEST, deadline=soon())
        for _ in range(channels):
            async with open_channel(f"127.0.0.1:{server.port}") as channel:
                await call(EmbedderServiceStub(channel).Embed, REQUEST, deadline=soon())
        gc.collect()

    await use(channels=50, calls=500)
    before = process.memory_info().rss
    await use(channels=100, calls=500)
    # 8 MiB: a leak of 100 KiB a channel, or of 20 KiB a call, would be above it; the allocator's own noise is below.
    assert process.memory_info().rss - before < 8 * 1024 * 1024


async def test_a_call_that_cannot_begin_ends(serve_embed: Any) -> None:
    """Its headers cannot be sent, so gRPC never says how it ended."""
    async with open_channel(
        f"127.0.0.1:{(await serve_embed()).port}", headers=lambda: (("x-token", "a line\n"),)
    ) as channel:
        async with asyncio.timeout(20):
            with pytest.raises(Exception, match="execute_batch"):
                await call(EmbedderServiceStub(channel).Embed, REQUEST, deadline=soon())


class _Watching(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)


async def test_a_call_of_an_interceptor_can_be_left(serve_embed: Any) -> None:
    """Who uses our client may have his calls watched, which makes them of another kind."""
    left, began = asyncio.Event(), asyncio.Event()

    async def embed(request: EmbedRequest, context: Context) -> EmbedResponse:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            left.set()
            raise
        return EmbedResponse()

    server = await serve_embed(embed)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", interceptors=[_Watching()]) as channel:
        leaving = asyncio.create_task(call(EmbedderServiceStub(channel).Embed, REQUEST, deadline=soon()))
        await asyncio.wait_for(began.wait(), 20)
        leaving.cancel()
        await asyncio.wait({leaving})
        assert leaving.cancelled()
        await asyncio.wait_for(left.wait(), 20)


@pytest.mark.skipif(not TELLS, reason="the C library does not tell what is allocated")
async def test_a_cancelled_call_leaves_nothing_in_memory(serve_embed: Any, stub_to: Any) -> None:
    """grpc#43360: who left before the answer left kilobytes in the gateway, which the allocator never got back."""
    began = asyncio.Event()

    async def embed(request: EmbedRequest, context: Context) -> EmbedResponse:
        began.set()
        await asyncio.sleep(0.005)
        return EmbedResponse()

    stub = stub_to((await serve_embed(embed)).port)

    async def leave(count: int) -> int:
        for _ in range(count):
            began.clear()
            leaving = asyncio.create_task(call(stub.Embed, REQUEST, deadline=soon()))
            async with asyncio.timeout(20):
                await began.wait()
            leaving.cancel()
            await asyncio.wait({leaving})
            assert leaving.cancelled()
        await asyncio.sleep(0.1)
        gc.collect()
        return allocated_bytes(large=False)

    before = await leave(300)
    after = await leave(1_000)
    assert (after - before) / 1_000 < 100
