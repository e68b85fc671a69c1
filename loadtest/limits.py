"""What a run must keep: no errors, and costs counted in no-op calls, so that they hold on any machine."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveFloat, TypeAdapter

from loadtest.ghz import Measured

LIMITS = Path(__file__).with_name("limits.json")
NO_OP_STAGE = "grpc.health.v1.Health/Check hot"


class Limit(BaseModel):
    """The limits of one stage. A call's cost is the no-op's rps divided by the stage's rps, in the same shape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_errors: int = 0
    max_cost_in_noops: PositiveFloat | None = None
    max_p99_over_p50: PositiveFloat | None = None


def read_limits(path: Path = LIMITS) -> dict[str, Limit]:
    """The limits by stage."""
    return TypeAdapter(dict[str, Limit]).validate_json(path.read_bytes())


def broken_limits(measured: Sequence[Measured], limits: dict[str, Limit]) -> list[str]:
    """What went past its limit, in words; empty when all was kept."""
    no_op = next(row for row in measured if row.stage == NO_OP_STAGE)
    broken = []
    for row in measured:
        limit = limits[row.stage]
        if row.errors > limit.max_errors:
            broken.append(f"{row.stage}: {row.errors} errors ({row.codes}), at most {limit.max_errors} are allowed")
        cost = no_op.rps / row.rps
        if limit.max_cost_in_noops is not None and cost > limit.max_cost_in_noops:
            broken.append(f"{row.stage}: costs {cost:.1f} no-op calls, at most {limit.max_cost_in_noops:g} are allowed")
        spread = row.p99_ms / row.p50_ms
        if limit.max_p99_over_p50 is not None and spread > limit.max_p99_over_p50:
            broken.append(f"{row.stage}: p99 is {spread:.1f} x p50, at most {limit.max_p99_over_p50:g} x is allowed")
    return broken
