"""Prometheus metrics of every call, and the port that shows a process's metrics.

Labels hold only what the code enumerates (method, code), never what a caller sends, so that series stay few.
"""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from vitrine.errors import FailedPrecondition

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

CALL_SECONDS = Histogram(
    "vitrine_call_seconds", "Time a call took on the server, by method and code.", ("method", "code"), buckets=_SECONDS
)
CALLS_IN_FLIGHT = Gauge("vitrine_calls_in_flight", "Calls that the server is working on.")
CALLS_UNREAD = Counter(
    "vitrine_calls_unread", "Calls that ended before their request was read: too large, or their caller left."
)
SERVING = Gauge("vitrine_serving", "1 when the last self-test passed, else 0.", ("server",))


def serve_metrics(host: str, port: int) -> None:
    """Shows the process's metrics over HTTP at /metrics, from a thread of its own.

    Raises FailedPrecondition when the port cannot be had.
    """
    try:
        start_http_server(port, host)
    except OSError as error:
        raise FailedPrecondition(f"cannot show metrics on {host}:{port}: {error}; is it in use?") from error
