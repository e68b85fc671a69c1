"""What is kept of a call that has ended: its metrics, a line in the log, and what its span says."""

import logging

import grpc
import structlog
from opentelemetry.trace import Span, Status, StatusCode

from vitrine import metrics
from vitrine.logs import CallLogLevel

_log = structlog.get_logger("vitrine.calls")
_LOGGER = logging.getLogger("vitrine.calls")

# Those that are a server's fault; of the others the caller's span says that they failed (OpenTelemetry's conventions).
_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


def record_call(span: Span, method: str, code: str, seconds: float, log_level: CallLogLevel) -> None:
    """Counts and logs the call, by the name of its gRPC code, and ends what its span has to say."""
    metrics.observe_call(method, code, seconds)
    if span.is_recording():
        span.set_attribute("rpc.grpc.status_code", int(grpc.StatusCode[code].value[0]))
        if code in _FAULTS:
            span.set_status(Status(StatusCode.ERROR, code))
    level = logging.INFO if log_level == "info" else logging.DEBUG
    # Asked first: structlog makes the line before it finds that nobody wants it.
    if _LOGGER.isEnabledFor(level):
        _log.log(level, "call", method=method, code=code, duration_ms=round(seconds * 1e3, 3))
