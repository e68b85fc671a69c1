"""Export of spans, in a process of its own: OpenTelemetry allows one provider in each."""

import socket
import subprocess
import sys

import pytest

from vitrine.errors import FailedPrecondition
from vitrine.trace_export import TracingSettings, exported_traces

_PROGRAM = """
import sys
from vitrine.trace_export import TracingSettings, exported_traces
from vitrine.tracing import server_span, span, trace_id

with exported_traces("embedder", TracingSettings(endpoint=sys.argv[1], sample_share=float(sys.argv[2]))):
    with server_span("/search", {}) as call, span("stage") as stage:
        print(len(trace_id()), call.is_recording(), stage.is_recording())
print("done")
"""


def test_an_endpoint_that_is_no_address_is_refused_by_name() -> None:
    settings = TracingSettings(endpoint="collector:4317")
    with pytest.raises(FailedPrecondition, match="VITRINE_TRACING_ENDPOINT"), exported_traces("x", settings):
        pass


@pytest.mark.parametrize(("share", "recorded"), [("1", True), ("0", False)])
def test_a_collector_that_is_away_stops_nobody_and_what_is_not_sampled_has_an_id_all_the_same(
    share: str, recorded: bool
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, endpoint, share], capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout.splitlines()[-2:] == [f"32 {recorded} {recorded}", "done"]
    assert "Traceback" not in done.stderr
