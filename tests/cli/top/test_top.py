"""`vitrine top` against real pages of metrics, over HTTP."""

import io
import math
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from rich.console import Console
from typer.testing import CliRunner

from cli.main import app
from cli.top.frame import frame
from vitrine.metrics_window import Window
from vitrine.scrape import Scrape, read_page

ROOT = Path(__file__).parents[3]
SEARCH = "/vitrine.v1.SearchService/Search"


class Page:
    """What a gateway shows of 90 searches at 20 ms, 9 at 200 ms and one that failed, a second after its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        start = Gauge("process_start_time_seconds", "", registry=self.registry)
        start.set(1_000.0)
        self.calls = Counter("vitrine_calls", "", ["method", "code"], registry=self.registry)
        labels = ["method", "code"]
        self.seconds = Histogram("vitrine_call_seconds", "", labels, buckets=(0.01, 0.03, 0.3), registry=self.registry)
        Gauge("vitrine_serving", "", ["server"], registry=self.registry).labels("gateway").set(1)
        self.vectors = Counter("vitrine_query_vectors", "", ["origin"], registry=self.registry)
        self.vectors.labels("process").inc(75)
        self.vectors.labels("embedder").inc(25)
        self.search(90, 0.02)
        self.search(9, 0.2)
        self.calls.labels(SEARCH, "UNAVAILABLE").inc()

    def search(self, count: int, seconds: float) -> None:
        self.calls.labels(SEARCH, "OK").inc(count)
        for _ in range(count):
            self.seconds.labels(SEARCH, "OK").observe(seconds)

    def read(self, address: str = "gateway:1", time_s: float = 1_001.0) -> Scrape:
        return read_page(address, generate_latest(self.registry).decode(), time_s)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def address(page: Page) -> Iterator[str]:
    """Where the page is shown."""
    server, thread = start_http_server(0, "127.0.0.1", registry=page.registry)
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_first_window_is_all_since_the_start(page: Page) -> None:
    window = Window((), [page.read()])
    assert window.rate("vitrine_calls_total") == pytest.approx(100)
    assert window.rate("vitrine_calls_total", code="UNAVAILABLE") == pytest.approx(1)
    # As Prometheus: 49.5 of the 90 that lie between 10 and 30 ms.
    assert window.quantile(0.5, "vitrine_call_seconds", code="OK") == pytest.approx(0.01 + 0.02 * 49.5 / 90)
    assert window.quantile(0.95, "vitrine_call_seconds") == pytest.approx(0.03 + 0.27 * (94.05 - 90) / 9)
    assert window.mean("vitrine_call_seconds") == pytest.approx((90 * 0.02 + 9 * 0.2) / 99)
    assert math.isnan(window.quantile(0.5, "vitrine_call_seconds", code="ERROR"))


def test_the_next_is_what_changed_summed_over_replicas(page: Page) -> None:
    first = [page.read("a"), page.read("b")]
    page.search(20, 0.2)
    window = Window(first, [page.read("a", 1_003.0), page.read("b", 1_003.0)])
    assert window.rate("vitrine_calls_total") == pytest.approx(2 * 10)
    assert 0.03 < window.quantile(0.5, "vitrine_call_seconds") < 0.3
    assert window.of(window.after[1]).rate("vitrine_calls_total") == pytest.approx(10)


def test_a_process_that_was_started_again_counts_from_its_start(page: Page) -> None:
    before = Scrape("a", 990.0, {**page.read("a").values, ("process_start_time_seconds", ()): 900.0})
    assert Window([before], [page.read("a")]).rate("vitrine_calls_total") == pytest.approx(100)


def test_where_nobody_says_when_a_process_started_nothing_is_told_before_a_second_reading(page: Page) -> None:
    first, second = [
        Scrape(
            "a",
            time_s,
            {name: value for name, value in page.read("a").values.items() if name[0] != "process_start_time_seconds"},
        )
        for time_s in (1_000.0, 1_010.0)
    ]
    assert Window((), [first]).rate("vitrine_calls_total") == 0
    second.values.update({series: 1.5 * value for series, value in second.values.items()})
    assert Window([first], [second]).rate("vitrine_calls_total") == pytest.approx(5)


def test_once_prints_a_frame(address: str) -> None:
    done = CliRunner().invoke(app, ["top", "--once", address])
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert f"{address} gateway yes" in words
    assert re.search(r"SearchService/Search [\d.,]+ 21 ms \d+ ms 1.0 % UNAVAILABLE 1.0 %", words)
    assert re.search(r"query vectors process 75.0 %", words)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_method_that_ends_in_many_ways_leaves_every_number_whole(page: Page, width: int) -> None:
    """Its codes took the line, and of all methods' rates and latencies one digit was left."""
    for count, code in enumerate(grpc.StatusCode):
        page.calls.labels(SEARCH, code.name).inc(100 * count)
    console = Console(width=width, file=io.StringIO())
    console.print(frame(Window((), [page.read()])))
    printed = console.file.getvalue()
    [line] = [line for line in printed.splitlines() if line.startswith("SearchService/Search ")]
    assert re.match(r"SearchService/Search +13,700\.0 +21 ms +270 ms +35\.0 % ", line), line
    assert len(line) <= width
    # What there is most of is told first.
    assert width < 160 or "35.0 %  UNAUTHENTICATED 11.7 %, DATA_LOSS 10.9 %, " in line, line


def test_a_process_that_is_away_is_left_out_and_none_at_all_is_one_clear_line(address: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{probe.getsockname()[1]}"
        assert CliRunner().invoke(app, ["top", "--once", away, address]).exit_code == 0
        done = CliRunner().invoke(app, ["top", "--once", away])
    assert done.exit_code == 1
    assert done.output.startswith(f"error: no process shows its metrics ({away}: ")
    assert done.output.count("\n") == 1


def test_what_is_drawn_is_what_processes_show() -> None:
    drawn = set(re.findall(r"\bvitrine_\w+", (ROOT / "cli/top/frame.py").read_text()))
    page = (ROOT / "docs/metrics.md").read_text()
    shown = {re.sub("_bucket$", "", name) for name in re.findall(r"`(vitrine_\w+)`", page)}
    assert {re.sub("_count$", "", name) for name in drawn} - shown == set()
