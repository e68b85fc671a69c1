"""The knee of throughput by callers, and the page that shows it."""

import re
from pathlib import Path

import pytest

from loadtest.ghz import Measured
from loadtest.knee import CALLERS, Swept, knee
from loadtest.page import page
from loadtest.result import Result
from loadtest.table import markdown

PERCENTILES = {10: 0.5, 25: 0.8, 50: 1.0, 75: 1.5, 90: 2.0, 95: 3.0, 99: 9.0}


def measured(stage: str, rps: float) -> Measured:
    return Measured(stage, 100, rps, 1.0, 3.0, 9.0, {"OK": 98, "Unavailable": 2}, PERCENTILES, in_flight=8)


def swept(shape: str) -> Swept:
    points = tuple(measured("SearchService/Search cold", min(10.0 * callers, 45.0)) for callers in CALLERS)
    return Swept("SearchService/Search cold", shape, CALLERS, points, 27.0, points[0])


@pytest.mark.parametrize("servers", [1, 4])
def test_the_knee_of_a_queue_is_where_all_its_servers_are_busy(servers: int) -> None:
    """A machine-repair model with `servers` equal servers and no think time serves min(n, servers) calls at once."""
    assert knee(CALLERS, [100.0 * min(callers, servers) for callers in CALLERS]) == servers


def test_a_knee_is_that_of_the_peak_where_more_callers_get_less() -> None:
    assert knee((1, 2, 4, 8), [10.0, 20.0, 25.0, 18.0]) == 2.5
    with pytest.raises(ValueError, match="one caller"):
        knee((2, 4), [1.0, 2.0])


def test_a_result_is_kept_whole_and_its_page_asks_no_host(tmp_path: Path) -> None:
    rows = [measured("grpc.health.v1.Health/Check hot", 1_000.0), measured("SearchService/Search <cold>", 50.0)]
    shapes = ("one process", "suite")
    result = Result("2 cores", 1, 2.0, {}, dict.fromkeys(shapes, rows), [swept(shape) for shape in shapes], ["x"])
    result.write(tmp_path / "result.json")
    read = Result.read(tmp_path / "result.json")
    assert read == result
    drawn = page(read)
    assert drawn.count("<svg") == drawn.count("</svg>") == 1 + 1 + len(shapes)
    assert not re.search(r"https?:|//[a-z]|<script|<link|@import|url\(", drawn)
    assert "prefers-color-scheme: dark" in drawn
    assert "knee at one process 4.5, suite 4.5 in flight" in drawn
    assert "Search &lt;cold&gt;" in drawn
    assert "| SearchService/Search cold | suite | 10 | 20 | 40 | 45 | 45 | 45 | 4.5 |" in markdown(read)
