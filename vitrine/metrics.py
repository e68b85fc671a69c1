"""Prometheus metrics of every call, and the port that shows a process's metrics.

Labels hold only what the code enumerates (method, code), never what a caller sends, so that series stay few.
"""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

from vitrine.errors import FailedPrecondition

# The time at which each series began would be one more of each, and says nothing that a restart does not.
disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

CALLS = Counter("vitrine_calls", "Calls, by method and code.", ("method", "code"))
# A histogram has 14 series: with each of a dozen codes for each method they would be some thousands.
CALL_SECONDS = Histogram(
    "vitrine_call_seconds",
    "Time a call took on the server, by method and code: OK, or ERROR for all others.",
    ("method", "code"),
    buckets=_SECONDS,
)
CALLS_IN_FLIGHT = Gauge("vitrine_calls_in_flight", "Calls that the server is working on.")
CALLS_UNREAD = Counter(
    "vitrine_calls_unread", "Calls that ended before their request was read: too large, or their caller left."
)
SERVING = Gauge("vitrine_serving", "1 when the last self-test passed, else 0.", ("server",))


def observe_call(method: str, code: str, seconds: float) -> None:
    """Counts a call that has ended, by the name of its gRPC code."""
    counter, histogram = _of_call(method, code)
    counter.inc()
    histogram.observe(seconds)


@cache
def _of_call(method: str, code: str) -> tuple[Counter, Histogram]:
    return CALLS.labels(method, code), CALL_SECONDS.labels(method, "OK" if code == "OK" else "ERROR")


def serve_metrics(host: str, port: int) -> None:
    """Shows the process's metrics over HTTP at /metrics, from a thread of its own.

    Raises FailedPrecondition when the port cannot be had.
    """
    try:
        start_http_server(port, host)
    except OSError as error:
        raise FailedPrecondition(f"cannot show metrics on {host}:{port}: {error}; is it in use?") from error
