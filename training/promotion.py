"""Whether a candidate bundle may replace the one in service: a paired significance test on the same judged queries.

Test: sign-flip permutation of the per-query differences (Fisher 1935; Smucker et al. 2007 for retrieval), two-sided.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.errors import TrainingError
from training.run_folder import write_atomically
from vitrine.bundle import BundleKind, load_bundle
from vitrine.errors import FailedPrecondition

ALPHA = 0.05
TOLERANCE = 0.005  # a mean may fall so far when the fall is not significant
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison:
    """One metric of one order on the same queries: both means, and how likely such a difference is by chance."""

    metric: str
    queries: int
    in_service: float
    candidate: float
    p_value: float

    @property
    def loses(self) -> bool:
        fall = self.in_service - self.candidate
        return fall > TOLERANCE or (fall > 0 and self.p_value < ALPHA)


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and one line of reason for each metric."""

    promote: bool
    reasons: tuple[str, ...]


def compare(metric: str, in_service: Mapping[str, float], candidate: Mapping[str, float], seed: int = 0) -> Comparison:
    """Compare values by query. Raises TrainingError when the queries are not the same, or none."""
    if not in_service or set(in_service) != set(candidate):
        raise TrainingError(f"{metric}: candidate and bundle in service were not measured on the same queries")
    queries = sorted(in_service)
    before = np.array([in_service[query] for query in queries])
    after = np.array([candidate[query] for query in queries])
    difference = after - before
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(_RESAMPLES, len(queries)))
    as_far = np.abs((signs * difference).mean(axis=1)) >= abs(difference.mean()) - 1e-12
    p_value = (1 + int(as_far.sum())) / (1 + _RESAMPLES)
    return Comparison(metric, len(queries), float(before.mean()), float(after.mean()), p_value)


def read_report(path: Path, order: str) -> dict[str, dict[str, float]]:
    """Values by metric and query of one order, from a relevance report. Raises TrainingError when it has none."""
    try:
        values: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))["by_query"][order]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"no values by query of the order {order!r} in {path}") from error
    return values


def decide(comparisons: Sequence[Comparison]) -> Decision:
    """Promote unless a metric loses: significantly, or by more than TOLERANCE."""
    reasons = tuple(
        f"{one.metric}: {one.in_service:.4f} -> {one.candidate:.4f} on {one.queries} queries, "
        f"p = {one.p_value:.3f}{': a loss' if one.loses else ''}"
        for one in comparisons
    )
    return Decision(bool(comparisons) and not any(one.loses for one in comparisons), reasons)


def promote(
    candidate: Path, in_service: Path, kind: BundleKind, comparisons: Sequence[Comparison], report: Path
) -> Decision:
    """Put the candidate in the place of the bundle in service if the decision allows; `report` says why either way.

    The digests of both are checked first. Raises TrainingError when one does not match.
    """
    try:
        digests = {path: load_bundle(path, kind).manifest.digest for path in (candidate, in_service)}
    except FailedPrecondition as error:
        raise TrainingError(str(error)) from error
    decision = decide(comparisons)
    content = {
        "candidate": digests[candidate],
        "in_service": digests[in_service],
        "promoted": decision.promote,
        "reasons": decision.reasons,
        "comparisons": [asdict(one) for one in comparisons],
    }
    report.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(report, (json.dumps(content, indent=1) + "\n").encode())
    if decision.promote:
        scratch, old = (in_service.with_name(f".{in_service.name}.{part}") for part in ("new", "old"))
        for leftover in (scratch, old):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(candidate, scratch)
        in_service.rename(old)
        scratch.rename(in_service)
        shutil.rmtree(old)
    return decision
