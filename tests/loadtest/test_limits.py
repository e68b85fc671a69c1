"""Limits: errors and costs past them are named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from loadtest.ghz import Measured
from loadtest.limits import NO_OP_STAGE, Limit, broken_limits, read_limits


def measured(stage: str, rps: float, codes: dict[str, int] | None = None, p99_ms: float = 2.0) -> Measured:
    return Measured(stage, 100, rps, p50_ms=1.0, p95_ms=1.5, p99_ms=p99_ms, codes=codes or {"OK": 100})


def test_a_run_within_its_limits_breaks_none() -> None:
    limits = {NO_OP_STAGE: Limit(), "rank": Limit(max_cost_in_noops=10, max_p99_over_p50=3)}
    assert broken_limits([measured(NO_OP_STAGE, 1_000), measured("rank", 101)], limits) == []


def test_each_limit_can_be_broken() -> None:
    limits = {NO_OP_STAGE: Limit(), "rank": Limit(max_cost_in_noops=10, max_p99_over_p50=3)}
    slow = measured("rank", 99, {"OK": 97, "Unavailable": 2, "DeadlineExceeded": 1}, p99_ms=4.0)
    errors, cost, spread = broken_limits([measured(NO_OP_STAGE, 1_000), slow], limits)
    assert "rank: 3 errors" in errors
    assert "Unavailable" in errors
    assert "costs 10.1 no-op calls" in cost
    assert "p99 is 4.0 x p50" in spread


def test_an_unknown_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "limits.json"
    path.write_text('{"a stage": {"max_error": 0}}')
    with pytest.raises(ValidationError, match="max_error"):
        read_limits(path)
