"""Targets: every call of every service over gRPC, and the gateway's HTTP, sent to a real server."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

import vitrine.v1
from tests.fuzz import values
from tests.fuzz.messages import Maker
from tests.fuzz.server import FuzzedServer, fuzzed_server
from tests.fuzz.target import Target, bent
from vitrine.status import DETAILS_KEY

# Long enough for any machine: an answer takes milliseconds.
LIMIT_S = 30.0
# What a caller's own mistake, or the state that it meets, may be refused with.
_REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
# Between the requests of a stream.
_NEXT = b"\xff\xfe\xff\xfe"
_FAULTS = {code.value[0] for code in grpc.StatusCode} - {code.value[0] for code in _REFUSALS} - {0}


class Faulty(AssertionError):
    """An answer that no input may have."""


def methods() -> list[MethodDescriptor]:
    """All methods of vitrine.v1, by what is generated: public ones and those within the suite."""
    pool = descriptor_pool.Default()
    names = sorted(path.stem.removesuffix("_pb2") for path in Path(*vitrine.v1.__path__).glob("*_pb2.py"))
    for name in names:
        import_module(f"vitrine.v1.{name}_pb2")
    files = [pool.FindFileByName(f"vitrine/v1/{name}.proto") for name in names]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


def _name(method: MethodDescriptor) -> str:
    return f"{method.containing_service.name}.{method.name}"


def call_names() -> list[str]:
    """The names of all targets here, which can be told without a server."""
    return [*map(_name, methods()), "HTTP"]


class Calls:
    """Sends calls to a server that runs while they are on their way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: FuzzedServer) -> None:
        self._loop = loop
        self._server = server
        # Tokens that answers held, by the field that takes them.
        self.known: dict[str, list[str]] = {name: [digest] for name, digest in server.digests.items()}

    def targets(self) -> list[Target]:
        """One for each method, and one for HTTP."""
        return [*map(self._of_method, methods()), Target("HTTP", self._http_input, self._http)]

    def _of_method(self, method: MethodDescriptor) -> Target:
        def make(random: Random) -> bytes:
            count = random.choice((0, 1, 1, 2, 3)) if method.client_streaming else 1
            made = [Maker(random, self.known).message(method.input_type).SerializeToString() for _ in range(count)]
            data = _NEXT.join(made)
            return bent(random, data) if random.random() < 0.2 else data

        def run(data: bytes) -> None:
            self._loop.run_until_complete(self._call(method, data))

        return Target(_name(method), make, run)

    async def _call(self, method: MethodDescriptor, data: bytes) -> None:
        path = f"/{method.containing_service.full_name}/{method.name}"
        kind = GetMessageClass(method.output_type)
        try:
            if method.client_streaming:
                call = self._server.channel.stream_stream(path)(iter(data.split(_NEXT)), timeout=LIMIT_S)
                answers = [answer async for answer in call]
            else:
                answers = [await self._server.channel.unary_unary(path)(data, timeout=LIMIT_S)]
        except grpc.aio.AioRpcError as error:
            self._check_logged()
            # The server ended the stream while this client wrote: gRPC's client then keeps no status of the server's.
            if "SendMessageOperation" not in (error.debug_error_string() or ""):
                _check_refusal(error)
        else:
            for answer in answers:
                self._check_answer(kind.FromString(answer))
            self._check_logged()

    def _check_answer(self, answer: Message) -> None:
        for found in _statuses(answer):
            if found.code in _FAULTS:
                raise Faulty(f"an item failed: {found.code} {found.message}")
        for name, token in (("page_token", "next_page_token"), ("cursor", "next_cursor")):
            if value := getattr(answer, token, ""):
                self.known[name] = [*self.known.get(name, [])[-9:], value]

    def _check_logged(self) -> None:
        logged, self._server.logged[:] = list(self._server.logged), []
        for error in logged:
            raise Faulty("an exception was logged") from error

    def _http_input(self, random: Random) -> bytes:
        method = random.choice(methods())
        path = f"/{method.containing_service.full_name}/{method.name}"
        body = _json(random, Maker(random, self.known).message(method.input_type))
        if random.random() < 0.1:
            wanted = {"query": values.query(random), "top_n": values.real(random)}
            path, body = "/recommend", json.dumps(wanted).encode()
        if random.random() < 0.1:
            path = random.choice(("/", "//", "/metrics", "/healthz", "/readyz", path + "/", path.lower(), "/%00", "*",
                                  "http://elsewhere/", "/../../etc/passwd", "/?a=b", "/" + "a" * 9_000))  # fmt: skip
        verb = random.choice(("POST",) * 8 + ("GET", "PUT", "HEAD", "OPTIONS", "PRI", "post", "Ä"))
        kind = random.choice(("application/json",) * 8 + ("application/json; charset=utf-16", "text/plain", "", "\x00"))
        lines = [f"{verb} {path} HTTP/1.1", "Host: shop", f"Content-Type: {kind}"]
        for _ in range(random.choice((0, 0, 1, 2))):
            name = random.choice(("Authorization", "traceparent", "baggage", "Accept-Encoding", "Content-Encoding",
                                  "X-Api-Key", "Origin", "Cookie", "Upgrade", "Connection", "A b"))  # fmt: skip
            lines.append(f"{name}: {random.choice(('Bearer x', '00-0-0-0', 'gzip', 'websocket', values.text(random)))}")
        data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        return bent(random, data) if random.random() < 0.2 else data

    def _http(self, data: bytes) -> None:
        self._loop.run_until_complete(self._sent(data))

    async def _sent(self, data: bytes) -> None:
        """Sends a request whose length is said rightly, since a body that never comes is waited for by contract."""
        head, _, body = data.partition(b"\r\n\r\n")
        kept = [line for line in head.split(b"\r\n") if not _FRAMING.match(line)]
        head = b"\r\n".join([*kept, b"Content-Length: %d" % len(body), b"Connection: close"])
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.http_port)
        try:
            async with asyncio.timeout(LIMIT_S):
                writer.write(head + b"\r\n\r\n" + body)
                first = await reader.readline()
                await reader.read()
        except ConnectionError:
            first = b""
        finally:
            writer.close()
        if found := re.match(rb"HTTP/1\.[01] (\d{3})", first):
            if int(found[1]) >= 500:
                raise Faulty(f"answered {first.decode().strip()}")
        elif first:
            raise Faulty(f"answered {first!r}")
        self._check_logged()


# Lines that say how long a body is, or that the connection goes on, or how much time the caller gives.
_FRAMING = re.compile(rb"(?i)\s*(content-length|transfer-encoding|connection|expect|connect-timeout-ms)\b")


def _check_refusal(error: grpc.aio.AioRpcError) -> None:
    code, text = error.code(), error.details() or ""
    if code not in _REFUSALS:
        raise Faulty(f"refused with {code.name}: {text}")
    trailers: Mapping[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]
    if DETAILS_KEY not in trailers:
        # Only gRPC itself, before any of ours: a message above the limit.
        if code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise Faulty(f"refused with {code.name} and no details: {text}")
        return
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        status = status_pb2.Status.FromString(trailers[DETAILS_KEY])
        bad = error_details_pb2.BadRequest()
        if not any(detail.Unpack(bad) for detail in status.details) or not bad.field_violations[0].field:
            raise Faulty(f"refused without the name of a field: {text}")


def _statuses(answer: Message) -> Iterator[Any]:
    for field, value in answer.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else [value]:
                if isinstance(one, status_pb2.Status):
                    yield one
                else:
                    yield from _statuses(one)


def _json(random: Random, made: Message) -> bytes:
    try:
        body = json_format.MessageToJson(made).encode()
    except json_format.SerializeToJsonError:  # a time that is none
        body = b'{"name": 1, "query": "x", "time": "y"}'
    if random.random() < 0.3:
        piece = random.choice((b"NaN", b'"\\ud800"', b"1e999", b"[" * 3_000, b"{}", b"null", b"-1", b'"x"', b"1.5"))
        numbers = list(re.finditer(rb"(?<=: )[^,\n{\[]+", body))
        if numbers:
            start, end = random.choice(numbers).span()
            body = body[:start] + piece + body[end:]
    return body


@contextmanager
def calls(folder: Path) -> Iterator[Calls]:
    """Calls to a server that lies in `folder`."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        opened = fuzzed_server(folder)
        server = loop.run_until_complete(opened.__aenter__())
        try:
            yield Calls(loop, server)
        finally:
            loop.run_until_complete(opened.__aexit__(None, None, None))
