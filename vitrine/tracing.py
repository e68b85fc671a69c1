"""Trace spans by the OpenTelemetry API, which honour the caller's traceparent and go on with it downstream.

Without a configured OpenTelemetry SDK the spans cost next to nothing, and each call still has a trace id.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACER = trace.get_tracer("vitrine")
_PROPAGATOR = TraceContextTextMapPropagator()
_IDS = RandomIdGenerator()


def trace_id() -> str:
    """The current trace's id, 32 hex digits; empty outside every span."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def trace_headers() -> tuple[tuple[str, str], ...]:
    """The W3C headers that carry the current span to the next process; none outside every span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return tuple(carrier.items())


@contextmanager
def server_span(name: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """A span of a call that came in, child of the caller's; a new trace where the caller has none."""
    parent = _PROPAGATOR.extract(headers)
    if not trace.get_current_span(parent).get_span_context().is_valid:
        # Without an SDK the API makes no ids, and an error could not be found again in the logs.
        root = SpanContext(_IDS.generate_trace_id(), _IDS.generate_span_id(), False, TraceFlags(TraceFlags.SAMPLED))
        parent = set_span_in_context(NonRecordingSpan(root))
    with _TRACER.start_as_current_span(
        name, parent, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span
