"""Figures, their limits and the report."""

import json
from pathlib import Path

import pytest

from bench.__main__ import PARTS
from bench.figure import Figure, Limit, missed, read_limits
from bench.report import Report

LIMITS = {"fast": Limit(at_least=0.9, aim=1.0), "slow": Limit(at_most=3.0)}


def test_the_median_round_counts_and_a_miss_is_named_with_its_limit() -> None:
    good = [Figure("fast", (0.2, 0.95, 0.96)), Figure("slow", (3.0,)), Figure("only informs", (99.0,))]
    assert missed(good, LIMITS) == []
    bad = [Figure("fast", (0.2, 0.85, 0.96)), Figure("slow", (3.1,))]
    assert missed(bad, LIMITS) == ["fast: 0.85, to reach ≥ 0.9, aim 1", "slow: 3.1, to reach ≤ 3"]


def test_failed_calls_miss_whatever_the_value_and_what_was_not_run_misses_nothing() -> None:
    figures = [Figure("fast", (2.0,), errors=3), Figure("slow", not_run="slow could not be installed")]
    assert missed(figures, LIMITS) == ["fast: 3 calls failed"]


def test_the_limits_that_ship_can_all_be_missed() -> None:
    for name, limit in read_limits().items():
        assert (limit.at_least is None) != (limit.at_most is None), name
        assert not limit.is_kept_by(-1.0 if limit.at_least is not None else 1e9)


def test_the_report_says_what_was_measured_where_and_what_was_not(tmp_path: Path) -> None:
    figures = [Figure("fast", (0.8,), {"calls/s": 1234.5}), Figure("slow", not_run="not installed")]
    report = Report("2026-11-26T06:00:00+00:00", {"processor": "AMD", "cores": 2}, {"seconds": 5}, figures, LIMITS)
    report.write(tmp_path)
    written = json.loads((tmp_path / "report.json").read_text())
    assert [figure["value"] for figure in written["figures"]] == [0.8, None]
    assert written["machine"] == {"processor": "AMD", "cores": 2}
    assert written["missed"] == report.missed() != []
    lines = (tmp_path / "report.md").read_text().splitlines()
    assert "| fast | 0.8 | ≥ 0.9, aim 1 | **no** | 0.8 | calls/s 1,234 |" in lines
    assert "| slow | not run | ≤ 3 | | | not installed |" in lines


@pytest.mark.parametrize("stage", sorted(Path("bench/stages").glob("*.json")), ids=lambda path: path.stem)
def test_a_stage_is_named_as_its_file_and_counts_errors(stage: Path) -> None:
    settings = json.loads(stage.read_text())
    assert settings["name"] == stage.stem
    assert settings["count-errors"]
    assert settings["connections"] <= settings["concurrency"]


def test_parts_have_names_that_can_be_typed() -> None:
    assert all(name.replace("-", "").isalpha() for name in PARTS)
