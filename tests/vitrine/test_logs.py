"""Logs of a process, in a process of its own: what they look like is set once for all."""

import json
import subprocess
import sys

_PROGRAM = """
import logging, sys
import structlog
from opentelemetry.trace import INVALID_SPAN
from vitrine.call_record import record_call
from vitrine.logs import configure_logging
from vitrine.tracing import server_span

configure_logging("embedder", level="info", style=sys.argv[1])
log = structlog.get_logger("vitrine.test")
log.debug("not shown")
with server_span("search", {"traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"}):
    log.info("搜索", tokens=3)
logging.getLogger("some.library").warning("watch %s", "out")
try:
    raise ValueError("broken")
except ValueError:
    log.exception("call failed")
record_call(INVALID_SPAN, "/vitrine.v1.SearchService/Search", "OK", 0.0021, "debug")
record_call(INVALID_SPAN, "/vitrine.v1.SearchService/Search", "OK", 0.0021, "info")
"""

_FLOOD = """
import structlog
from vitrine import sparing
from vitrine.logs import configure_logging

configure_logging("gateway")
log = structlog.get_logger("gateway.test")
for number in range(300):
    log.warning("embedder away", number=number)
    log.error("call failed", number=number)
log.warning("ranker away")
sparing._SECOND_S = 0.0
log.warning("embedder away", number=300)
"""


def logged(style: str, program: str = _PROGRAM) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, style], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_each_line_is_one_json_object_with_service_and_trace() -> None:
    ours, library, fault, call = map(json.loads, logged("json"))
    assert (ours["event"], ours["tokens"], ours["level"], ours["logger"]) == ("搜索", 3, "info", "vitrine.test")
    assert (ours["service"], ours["trace_id"]) == ("embedder", "ab" * 16)
    assert len(ours["span_id"]) == 16
    assert (library["event"], library["level"], library["service"]) == ("watch out", "warning", "embedder")
    assert "trace_id" not in library
    assert "ValueError: broken" in fault["exception"]
    assert (call["event"], call["method"], call["code"], call["duration_ms"]) == (
        *("call", "/vitrine.v1.SearchService/Search"),
        *("OK", 2.1),
    )


def test_people_get_text_without_the_values_of_variables() -> None:
    text = "\n".join(logged("console"))
    assert "搜索" in text
    assert "ValueError: broken" in text
    assert "not shown" not in text
    assert "locals" not in text
    # Colours are for terminals.
    assert "\x1b" not in text


def test_a_warning_of_every_call_is_cut_short_and_counted_and_hides_no_other() -> None:
    """At 5 times the load 32 lines a second said that queries were searched by words, each as dear as a small call."""
    lines = [json.loads(line) for line in logged("json", _FLOOD)]
    away = [line for line in lines if line["event"] == "embedder away"]
    # More than 5 where the machine took longer than a second to write them.
    assert [line["number"] for line in away[:5]] == list(range(5))
    assert 6 <= len(away) <= 30
    assert away[-1]["number"] == 300
    assert sum(line.get("left_out", 0) for line in away) == 301 - len(away)
    assert [line["event"] for line in lines if line not in away] == ["call failed"] * 300 + ["ranker away"]
