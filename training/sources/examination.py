"""How likely shoppers look at each position, estimated from the log itself.

The same product shown for the same query at several positions harvests an intervention that nobody planned (Agarwal et
al. 2019, "Estimating Position Bias without Intrusive Interventions"): its click rates differ by position alone. Each
pair of positions gives a Mantel-Haenszel risk ratio over all such products, which holds for few showings of many
products; weighted least squares joins the ratios. Where the log cannot tell, examination is 1 / rank ** eta (Joachims
et al. 2017).
"""

import math
from dataclasses import dataclass

import numpy as np

from training.sources.store import SourceStore

_POSITIONS = 50  # estimated; those beyond follow 1 / rank ** eta
_STANDARD_ERROR = 0.35  # of a log ratio: what is less certain counts as unknown

_RATIOS = """
WITH cell AS (
  SELECT query, product, position, COUNT(*) AS n, SUM(kind > 0) AS c FROM shown WHERE position BETWEEN 1 AND {most}
  GROUP BY query, product, position
)
SELECT a.position, b.position,
  SUM(1.0 * a.c * b.n / (a.n + b.n)), SUM(1.0 * b.c * a.n / (a.n + b.n)),
  SUM((1.0 * (a.c + b.c) * a.n * b.n - 1.0 * a.c * b.c * (a.n + b.n)) / ((a.n + b.n) * (a.n + b.n)))
FROM cell a JOIN cell b ON a.query = b.query AND a.product = b.product AND a.position < b.position
GROUP BY a.position, b.position
"""


@dataclass(frozen=True)
class Examination:
    """Examination by position, relative to position 1. `known`: how many positions the log told; `eta`: of the rest."""

    values: tuple[float, ...]
    known: int
    eta: float

    def at(self, position: int) -> float:
        """In (0, 1]; a position below 1 (the log does not say) counts as examined."""
        if position < 1:
            return 1.0
        if position <= len(self.values):
            return self.values[position - 1]
        last = len(self.values)
        return self.values[-1] * math.pow(last / position, self.eta)

    def said(self) -> str:
        """What was estimated and what assumed, in one line."""
        if self.known < 2:
            return (
                "too few products were shown at several positions to tell how positions are examined: "
                f"1/rank^{self.eta:g} is assumed"
            )
        shown = ", ".join(f"{value:.2f}" for value in self.values[:10])
        return f"examination by position, {self.known} positions told by the log: {shown}; beyond, 1/rank^{self.eta:g}"


def estimate_examination(store: SourceStore, eta: float) -> Examination:
    """From the store's showings."""
    ratios = [
        (one, other, math.log(r / s), r * s / max(variance, 1e-9))
        for one, other, r, s, variance in store.rows(_RATIOS.format(most=_POSITIONS))
        if r > 0 and s > 0
    ]
    logs = _joined(ratios)
    values = [1.0]
    for position in range(2, max(logs, default=1) + 1):
        follow = values[-1] * math.pow((position - 1) / position, eta)
        values.append(min(1.0, math.exp(logs[position])) if position in logs else follow)
    return Examination(tuple(values), len(logs) + 1, eta)


def _joined(ratios: list[tuple[int, int, float, float]]) -> dict[int, float]:
    """Log examination of positions relative to the first, by weighted least squares; uncertain positions left out."""
    linked = {1}
    while (
        grown := {p for one, other, _, _ in ratios if (one in linked) != (other in linked) for p in (one, other)}
        - linked
    ):
        linked |= grown
    positions = sorted(linked - {1})
    used = [ratio for ratio in ratios if ratio[0] in linked]
    if not used:
        return {}
    column = {position: at for at, position in enumerate(positions)}
    design = np.zeros((len(used), len(positions)))
    for row, (one, other, _, _) in enumerate(used):
        if one != 1:
            design[row, column[one]] = 1.0
        design[row, column[other]] = -1.0
    weights = np.array([weight for *_, weight in used])
    normal = design.T @ (weights[:, None] * design)
    covariance = np.linalg.inv(normal)
    logs = covariance @ design.T @ (weights * np.array([log for _, _, log, _ in used]))
    errors = np.sqrt(np.diag(covariance))
    return {
        position: float(log)
        for position, log, error in zip(positions, logs, errors, strict=True)
        if error <= _STANDARD_ERROR
    }
