"""`python -m loadtest.trace`: makes one search and draws its trace, as a suite's processes tell it.

It is the collector itself: start the suite with VITRINE_TRACING_ENDPOINT=http://127.0.0.1:4317 and then this.
"""

import argparse
import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from vitrine.client import Client
from vitrine.v1 import search_service_pb2, search_service_pb2_grpc

_BAR = 48
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """A span as a process told it; ids in hex, times in Unix ns."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    links: tuple[str, ...]
    is_client: bool
    is_failed: bool
    attributes: dict[str, str]


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans over OTLP in gRPC, and keeps them."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        self._more = asyncio.Condition()

    async def Export(self, request: Any, context: Any) -> Any:
        """As the OpenTelemetry protocol has it."""
        async with self._more:
            for one in request.resource_spans:
                resource = {attribute.key: attribute.value.string_value for attribute in one.resource.attributes}
                self.spans += [
                    _told(resource["service.name"], span) for scope in one.scope_spans for span in scope.spans
                ]
            self._more.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    async def trace(self, trace_id: str, is_whole: Callable[[Sequence[Told]], bool]) -> list[Told]:
        """The spans of a trace, once they are whole. Raises TimeoutError, naming what came, when they never are."""

        def found() -> list[Told]:
            return [span for span in self.spans if span.trace_id == trace_id]

        try:
            async with self._more, asyncio.timeout(_WAIT_S):
                await self._more.wait_for(lambda: is_whole(found()))
        except TimeoutError:
            names = sorted(f"{span.service}: {span.name}" for span in found())
            raise TimeoutError(f"the trace was not whole within {_WAIT_S:g} s; of it came {names}") from None
        return found()


@asynccontextmanager
async def collecting(port: int = 0) -> AsyncIterator[tuple[Collector, str]]:
    """A collector that listens, and the address at which."""
    server, collector = grpc.aio.server(), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        await server.stop(0)


def is_answered(spans: Sequence[Told]) -> bool:
    """Whether the trace's calls are all there: the outermost one, and for each one that was made the one that came."""
    known, parents = {span.span_id for span in spans}, {span.parent_id for span in spans}
    made = [span for span in spans if span.is_client and not span.is_failed and "cancelled" not in span.attributes]
    outermost = [span for span in spans if span.parent_id not in known]
    calls = [span for span in made if span.name.startswith("vitrine.")]
    return len(outermost) == 1 and all(call.span_id in parents for call in calls)


def waterfall(spans: Sequence[Told]) -> Iterator[str]:
    """The trace drawn as text: a line for each span, indented below its parent, with when it ran."""
    known = {span.span_id for span in spans}
    began_ns, ended_ns = min(span.began_ns for span in spans), max(span.ended_ns for span in spans)
    per_ns = _BAR / max(ended_ns - began_ns, 1)

    def lines(parent_id: str | None, depth: int) -> Iterator[str]:
        children = [s for s in spans if (s.parent_id if s.parent_id in known else None) == parent_id]
        for span in sorted(children, key=lambda one: one.began_ns):
            before = min(round((span.began_ns - began_ns) * per_ns), _BAR - 1)
            length = max(1, round((span.ended_ns - span.began_ns) * per_ns))
            bar = (" " * before + "█" * length)[:_BAR].ljust(_BAR)
            name = "  " * depth + span.name.removeprefix("vitrine.v1.") + (" ✗" if span.is_failed else "")
            took_ms = (span.ended_ns - span.began_ns) / 1e6
            yield f"{span.service.removeprefix('vitrine-'):<9} {name:<44.44} {took_ms:8.2f} ms |{bar}|"
            yield from lines(span.span_id, depth + 1)

    yield from lines(None, 0)


def _told(service: str, span: trace_pb2.Span) -> Told:
    return Told(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        tuple(link.span_id.hex() for link in span.links),
        span.kind == trace_pb2.Span.SPAN_KIND_CLIENT,
        span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        {one.key: str(getattr(one.value, one.value.WhichOneof("value") or "")) for one in span.attributes},
    )


async def traced_search(target: str, query: str, visitor: str, trace_id: str, parent_id: str) -> None:
    """Searches as a caller who traces it."""
    request = search_service_pb2.SearchRequest(query=query, visitor_id=visitor, page_size=10)
    traceparent = f"00-{trace_id}-{parent_id}-01"
    async with Client(target) as gateway:
        stub = search_service_pb2_grpc.SearchServiceStub(gateway.channel)
        await stub.Search(request, timeout=30, metadata=(("traceparent", traceparent),))


async def _main(arguments: argparse.Namespace) -> None:
    trace_id, parent_id = secrets.token_hex(16), secrets.token_hex(8)
    async with collecting(arguments.port) as (collector, _):
        await traced_search(arguments.target, arguments.query, arguments.visitor, trace_id, parent_id)
        print(f"trace {trace_id}")
        print("\n".join(waterfall(await collector.trace(trace_id, is_answered))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("query", nargs="?", default="智能手表")
    parser.add_argument("--visitor", default="", help="id of a visitor")
    parser.add_argument("--target", default="127.0.0.1:50051", help="gRPC target of the gateway")
    parser.add_argument("--port", type=int, default=4317, help="port that the suite sends its spans to")
    asyncio.run(_main(parser.parse_args()))
