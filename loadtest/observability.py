"""`python -m loadtest.observability`: what metrics, spans and the line in the log add to a call, in microseconds.

One thread, no network: each thing is done many times over, in the thread's own processor time, and the best of several
rounds is taken, so that a busy machine says little more than a quiet one.
"""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import INVALID_SPAN
from rich.console import Console
from rich.table import Table

from services.retriever.metrics import timed
from vitrine.call_record import record_call
from vitrine.logs import configure_logging
from vitrine.tracing import record_by, server_span, span, trace_headers

_ROUNDS, _TIMES = 7, 5_000
_METHOD = "/vitrine.v1.SearchService/Search"
_CALLER = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


class _Dropped(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _cost_us(work: Callable[[], object], around: Callable[[], Any] = nullcontext) -> float:
    best_s = float("inf")
    with around():
        for _ in range(_ROUNDS):
            started_s = time.thread_time()
            for _ in range(_TIMES):
                work()
            best_s = min(best_s, time.thread_time() - started_s)
    return best_s / _TIMES * 1e6


def _server_span(headers: dict[str, str]) -> None:
    with server_span(_METHOD, headers):
        pass


def _span() -> None:
    with span("stage"):
        pass


def _timed() -> None:
    with timed("words"):
        pass


def _costs() -> dict[str, float]:
    """Of each thing, within a call as the gateway gets it."""

    def call() -> Any:
        return server_span(_METHOD, _CALLER)

    return {
        "a call's own span": _cost_us(lambda: _server_span(_CALLER)),
        "a stage's span": _cost_us(_span, call),
        "a part of the retriever, measured and traced": _cost_us(_timed, call),
        "headers for the next process": _cost_us(trace_headers, call),
    }


def main() -> None:
    """Prints the table."""
    configure_logging("loadtest", level="warning")
    counted = _cost_us(lambda: record_call(INVALID_SPAN, _METHOD, "OK", 0.002, "debug"))
    structlog.reset_defaults()
    configure_logging("loadtest", level="info")
    logging.getLogger().handlers[0].setStream(open("/dev/null", "w"))  # type: ignore[attr-defined]  # noqa: SIM115
    logged = _cost_us(lambda: record_call(INVALID_SPAN, _METHOD, "OK", 0.002, "info"))
    off = _costs()
    provider = TracerProvider(ParentBasedTraceIdRatio(1.0))
    # A queue that holds all: what is dropped costs less.
    provider.add_span_processor(BatchSpanProcessor(_Dropped(), max_queue_size=1_000_000))
    record_by(provider)
    on = _costs()
    provider.shutdown()
    table = Table("µs", "no spans", "recorded")
    table.add_row("metrics of a call", f"{counted:.1f}", f"{counted:.1f}")
    table.add_row("and its line in the log", f"{logged - counted:.1f}", f"{logged - counted:.1f}")
    for what, cost_us in off.items():
        table.add_row(what, f"{cost_us:.1f}", f"{on[what]:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
