"""Trace spans by the OpenTelemetry API, which honour the caller's traceparent and go on with it downstream.

Without a provider (`vitrine.trace_export` sets one) no spans are made, and each call still has a trace id. Attributes
hold only what the code enumerates and counts, never what a caller sends.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TracerProvider,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

_PROPAGATOR = TraceContextTextMapPropagator()

# None: no spans are made. OpenTelemetry's own global could be set once only, and is looked up for each span.
_tracer: Tracer | None = None


def record_by(provider: TracerProvider | None) -> None:
    """Has spans made by `provider` from now on; None: no longer."""
    global _tracer
    _tracer = None if provider is None else provider.get_tracer("vitrine")


def trace_id() -> str:
    """The current trace's id, 32 hex digits; empty outside every span."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def span_id() -> str:
    """The current span's id, 16 hex digits; empty outside every span."""
    found = trace.get_current_span().get_span_context()
    return trace.format_span_id(found.span_id) if found.is_valid else ""


def trace_headers(span: Span | None = None) -> tuple[tuple[str, str], ...]:
    """The W3C headers that carry a span, by default the current one, to the next process; none outside every span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, None if span is None else set_span_in_context(span))
    return tuple(carrier.items())


@contextmanager
def server_span(name: str, headers: Mapping[str, str], system: str = "grpc") -> Iterator[Span]:
    """A span of a call that came in, child of the caller's; a new trace where the caller has none."""
    parent = _PROPAGATOR.extract(headers) if "traceparent" in headers else Context()
    if _tracer is not None:
        with _tracer.start_as_current_span(
            name.removeprefix("/"),
            parent,
            kind=SpanKind.SERVER,
            attributes={"rpc.system": system},
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            yield made
        return
    found = trace.get_current_span(parent)
    if not found.get_span_context().is_valid:
        # So that an error can be found again in the logs.
        ids = random.getrandbits(128) or 1, random.getrandbits(64) or 1
        found = NonRecordingSpan(SpanContext(*ids, is_remote=False, trace_flags=TraceFlags.get_default()))
        parent = set_span_in_context(found, parent)
    token = context.attach(parent)
    try:
        yield found
    finally:
        context.detach(token)


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes = None) -> Iterator[Span]:
    """A span within the current one; nothing where that is not recorded.

    What is raised marks it as failed, but for a cancellation, which is no fault.
    """
    if _tracer is None or not trace.get_current_span().is_recording():
        yield INVALID_SPAN
        return
    with _tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as begun:
        try:
            yield begun
        except asyncio.CancelledError:
            begun.set_attribute("cancelled", True)
            raise
        except BaseException as error:
            begun.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def recorded_context() -> Context | None:
    """The current span's context, to hang spans on that end elsewhere; None where it is not recorded."""
    if _tracer is None or not trace.get_current_span().is_recording():
        return None
    return context.get_current()


def begun_span(name: str, kind: SpanKind) -> Span:
    """A span within the current one that its maker ends, for work that is not one block; it is not made the current."""
    if _tracer is None or not trace.get_current_span().is_recording():
        return trace.get_current_span()
    return _tracer.start_span(name, kind=kind)


def past_span(
    name: str,
    parent: Context,
    began_ns: int,
    ended_ns: int,
    links: Sequence[Span] = (),
    attributes: Attributes = None,
) -> Span:
    """A span of what is over, from one Unix time in ns to another, linked to other spans of the same work."""
    if _tracer is None:
        return INVALID_SPAN
    past = _tracer.start_span(
        name,
        parent,
        attributes=attributes,
        links=[Link(one.get_span_context()) for one in links],
        start_time=began_ns,
    )
    past.end(ended_ns)
    return past
