"""Where throughput stops to grow with callers: the knee of a closed loop.

By the asymptotic bounds of a closed system without think time (Denning and Buzen 1978, "The Operational Analysis of
Queueing Network Models", Computing Surveys 10(3); Lazowska et al. 1984, "Quantitative System Performance", chapter 5):
n callers get at most n X(1), for each waits for its own call, and at most what the busiest part can do, the peak X. The
two meet at n* = X / X(1). Below n* a caller more is throughput more, above it he only waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.ghz import Measured

CALLERS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Swept:
    """A stage by callers: what each number of them got, and what callers met who came at `open_rate` a second."""

    stage: str
    shape: str
    callers: tuple[int, ...]
    points: tuple[Measured, ...]
    open_rate: float
    open: Measured

    @property
    def knee(self) -> float:
        """Callers at the knee."""
        return knee(self.callers, [point.rps for point in self.points])


def knee(callers: Sequence[int], rps: Sequence[float]) -> float:
    """n* of calls a second by callers, ascending from one."""
    if callers[0] != 1:
        raise ValueError("a knee needs what one caller alone gets")
    return max(rps) / rps[0]
