"""Whether a candidate bundle may replace the one in service: a paired significance test on the same judged queries.

Test: sign-flip permutation of the per-query differences (vitrine.paired_test). The swap leaves the old bundle or the
new one; when it was cut off between the two, the next promotion puts the old one back first.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.errors import TrainingError
from training.run_folder import write_atomically
from training.whole_folder import check_file
from vitrine.bundle import MANIFEST, BundleKind, load_bundle
from vitrine.errors import FailedPrecondition
from vitrine.paired_test import sign_flip_p_value

ALPHA = 0.05
TOLERANCE = 0.005  # a mean may fall so far when the fall is not significant


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


@dataclass(frozen=True)
class Report:
    """One order of a relevance report: values by metric and query, the data set, and what was evaluated."""

    path: Path
    dataset: str
    made_of: Mapping[str, object]
    values: Mapping[str, Mapping[str, float]]


def read_report(path: Path, order: str) -> Report:
    """The order of a `vitrine evaluate relevance --json` report. Raises TrainingError when it has none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Report(path, content["dataset"], dict(content["made_of"]), dict(content["by_query"][order]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"no values by query of the order {order!r} in {path}") from error


def compare_reports(in_service: Report, candidate: Report, kind: BundleKind, order: str) -> list[Comparison]:
    """Comparisons by metric. Raises TrainingError when more than the `kind` of bundle differs between the reports."""
    if in_service.dataset != candidate.dataset:
        raise TrainingError(
            f"{candidate.path} is of {candidate.dataset}, {in_service.path} of {in_service.dataset}; "
            "evaluate both bundles on the same data"
        )
    # The order by vector comes from the embedder alone.
    others: set[str] = set() if order == "dense" else {*in_service.made_of, *candidate.made_of} - {kind}
    for name in sorted(others):
        ours, theirs = candidate.made_of.get(name), in_service.made_of.get(name)
        if ours != theirs:
            raise TrainingError(
                f"{candidate.path} was made with {name} {ours}, {in_service.path} with {theirs}; "
                f"only the {kind} may differ"
            )
    return [compare(metric, values, candidate.values.get(metric, {})) for metric, values in in_service.values.items()]


def compare(metric: str, in_service: Mapping[str, float], candidate: Mapping[str, float], seed: int = 0) -> Comparison:
    """Compare values by query. Raises TrainingError when the queries are not the same, or none."""
    if not in_service or set(in_service) != set(candidate):
        raise TrainingError(f"{metric}: candidate and bundle in service were not measured on the same queries")
    queries = sorted(in_service)
    before = np.array([in_service[query] for query in queries])
    after = np.array([candidate[query] for query in queries])
    p_value = sign_flip_p_value(after - before, seed)
    return Comparison(metric, len(queries), float(before.mean()), float(after.mean()), p_value)


def decide(comparisons: Sequence[Comparison]) -> Decision:
    """Promote unless a metric loses: significantly, or by more than TOLERANCE."""
    reasons = tuple(
        f"{one.metric}: {one.in_service:.4f} -> {one.candidate:.4f} on {one.queries} queries, "
        f"p = {one.p_value:.3f}{': a loss' if one.loses else ''}"
        for one in comparisons
    )
    return Decision(bool(comparisons) and not any(one.loses for one in comparisons), reasons)


def promote(
    candidate: Path, in_service: Path, kind: BundleKind, before: Report, after: Report, order: str, why: Path
) -> Decision:
    """Put the candidate in the place of the bundle in service if it loses on no metric; `why` tells, either way.

    Raises TrainingError when a bundle does not match its digest, a report was made with another bundle than the one
    given, or the reports can't be compared; the bundle in service stays then.
    """
    check_file(why)
    _put_back(in_service)
    digests = {}
    for folder, report in ((candidate, after), (in_service, before)):
        try:
            digests[folder] = load_bundle(folder, kind).manifest.digest
        except FailedPrecondition as error:
            raise TrainingError(error.message) from error
        if report.made_of.get(kind) != digests[folder]:
            raise TrainingError(
                f"{report.path} was made with the {kind} {report.made_of.get(kind)}, and {folder} is "
                f"{digests[folder]}; evaluate that bundle and give its report"
            )
    comparisons = compare_reports(before, after, kind, order)
    decision = decide(comparisons)
    if decision.promote and digests[candidate] != digests[in_service]:
        _swap(candidate, in_service, kind)
    content = {
        "candidate": digests[candidate],
        "in_service": digests[in_service],
        "dataset": after.dataset,
        "order": order,
        "promoted": decision.promote,
        "reasons": decision.reasons,
        "comparisons": [asdict(one) for one in comparisons],
    }
    why.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(why, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return decision


def _swap(candidate: Path, in_service: Path, kind: BundleKind) -> None:
    """Copy the candidate beside the bundle in service, check the copy, then rename both."""
    scratch, old = _beside(in_service, "new"), _beside(in_service, "old")
    for leftover in (scratch, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        shutil.copytree(candidate, scratch)
        load_bundle(scratch, kind)
        for path in (*scratch.iterdir(), scratch):
            _to_disk(path)
        in_service.rename(old)
        scratch.rename(in_service)
        _to_disk(in_service.absolute().parent)
    except FailedPrecondition as error:
        raise TrainingError(f"the copy of {candidate} is damaged: {error.message}") from error
    finally:
        _put_back(in_service)
        shutil.rmtree(scratch, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _put_back(in_service: Path) -> None:
    """Undo a swap that was cut off after the old bundle had made room."""
    old = _beside(in_service, "old")
    if not (in_service / MANIFEST).exists() and (old / MANIFEST).exists():
        shutil.rmtree(in_service, ignore_errors=True)
        old.rename(in_service)


def _beside(folder: Path, part: str) -> Path:
    return folder.with_name(f".{folder.name}.{part}")


def _to_disk(path: Path) -> None:
    """Wait until a file or folder is on disk, so that a rename never outlives what it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
