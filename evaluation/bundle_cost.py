"""What bundles cost and what they are worth: latency measured here in one run, in turns, beside a figure of quality."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from evaluation.engines import Advance
from evaluation.intervals import BOUNDS, RESAMPLES, Interval
from evaluation.result import RelevanceResult
from vitrine.bundle import MANIFEST, Bundle, BundleKind, Manifest, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.errors import FailedPrecondition, invalid
from vitrine.inference import Session, load_session
from vitrine.tokenization import Tokenizer

METRIC = "judged"
_ORDERS: Mapping[BundleKind, str] = {"embedder": "dense", "ranker": "ranked"}
_WARM_UPS = 3
_FIRST_ID, _IDS = 4, 16  # below lie the special tokens; every vocabulary has as many


@dataclass(frozen=True, slots=True)
class Workload:
    """What is timed: one run of so many sequences of so many tokens, on one thread, in so many rounds."""

    sequences: int
    tokens: int
    rounds: int

    def __str__(self) -> str:
        return f"{self.sequences} × {self.tokens} tokens"


WORKLOADS: Mapping[BundleKind, Workload] = {"embedder": Workload(1, 10, 60), "ranker": Workload(50, 48, 12)}


@dataclass(frozen=True, slots=True)
class BundleCost:
    """One bundle: median latency, its ratio to the first of its kind, size, and quality where somebody measured it."""

    letter: str
    kind: BundleKind
    name: str
    folder: Path
    digest: str
    size_mb: float
    latency_ms: Interval
    ratio: Interval
    quality: Interval | None
    quality_from: str
    on_frontier: bool


def find_bundles(paths: Sequence[Path]) -> list[Bundle]:
    """The bundles at `paths`, each a bundle or a folder of them, each folder once.

    Raises InvalidArgument for a path without any, FailedPrecondition for a damaged one.
    """
    folders: dict[Path, None] = {}
    for path in paths:
        found = [path] if (path / MANIFEST).is_file() else sorted(one.parent for one in path.glob(f"*/{MANIFEST}"))
        if not found:
            raise invalid("--bundle", f"{path} is no bundle and holds none; name a folder with {MANIFEST}")
        folders |= dict.fromkeys(found)
    return [_load(folder) for folder in folders]


def _load(folder: Path) -> Bundle:
    path = folder / MANIFEST
    try:
        kind = Manifest.model_validate_json(path.read_bytes()).kind
    except (OSError, ValidationError) as error:
        raise FailedPrecondition(f"{path} is not a bundle manifest; copy the bundle again") from error
    return load_bundle(folder, kind)


def measure_bundles(
    bundles: Sequence[Bundle],
    results: Sequence[RelevanceResult],
    advance: Advance,
    workloads: Mapping[BundleKind, Workload] = WORKLOADS,
) -> list[BundleCost]:
    """Times all bundles of a kind in turns, so that what else the machine does hits them alike."""
    costs: list[BundleCost] = []
    for kind, workload in workloads.items():
        of_kind = [bundle for bundle in bundles if bundle.manifest.kind == kind]
        if of_kind:
            costs += _with_frontier(_costs(of_kind, _times_ms(of_kind, workload, advance), results, len(costs)))
    return costs


def _times_ms(bundles: Sequence[Bundle], workload: Workload, advance: Advance) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(rounds, bundles) milliseconds."""
    budget = ComputeBudget(threads=1)
    runs = [_run(bundle, load_session(bundle, budget), workload) for bundle in bundles]
    times = np.empty((workload.rounds, len(runs)))
    for number in range(-_WARM_UPS, workload.rounds):
        for column, (session, rows) in enumerate(runs):
            started = time.perf_counter()
            session.run(rows)
            if number >= 0:
                times[number, column] = (time.perf_counter() - started) * 1_000
        advance(f"time {bundles[0].manifest.kind} bundles", max(0, number + 1), workload.rounds)
    return times


def _run(bundle: Bundle, session: Session, workload: Workload) -> tuple[Session, list[list[int]]]:
    tokenizer = Tokenizer(bundle)
    room = workload.tokens - len(tokenizer.opening) - 1
    content = [_FIRST_ID + place % _IDS for place in range(room)]
    return session, [[*tokenizer.opening, *content, tokenizer.closing]] * workload.sequences


def _costs(
    bundles: Sequence[Bundle],
    times_ms: np.ndarray[Any, np.dtype[np.float64]],
    results: Sequence[RelevanceResult],
    before: int,
) -> list[BundleCost]:
    rounds = len(times_ms)
    drawn = times_ms[np.random.default_rng(0).integers(0, rounds, (RESAMPLES, rounds))]
    medians, median = np.median(drawn, axis=1), np.median(times_ms, axis=0)
    costs = []
    for column, bundle in enumerate(bundles):
        manifest = bundle.manifest
        quality, quality_from = _quality(manifest, results)
        costs.append(
            BundleCost(
                letter=chr(ord("A") + before + column) if before + column < 26 else str(before + column + 1),
                kind=manifest.kind,
                name=f"{manifest.name} {manifest.version}",
                folder=bundle.folder,
                digest=manifest.digest,
                size_mb=sum(bundle.path(name).stat().st_size for name in manifest.files) / 1e6,
                latency_ms=_interval(median[column], medians[:, column], rounds),
                ratio=_interval(median[column] / median[0], medians[:, column] / medians[:, 0], rounds),
                quality=quality,
                quality_from=quality_from,
                on_frontier=False,
            )
        )
    return costs


def _interval(value: float, resampled: np.ndarray[Any, np.dtype[np.float64]], count: int) -> Interval:
    low, high = np.percentile(resampled, BOUNDS)
    return Interval(float(value), float(low), float(high), count)


def _quality(manifest: Manifest, results: Sequence[RelevanceResult]) -> tuple[Interval | None, str]:
    """nDCG@10 of judged lists from a result that was made with the bundle, else as its card says it."""
    shops = [result for result in results if result.kind == "shop"]
    for result in shops:
        if result.made_of.get(manifest.kind) == manifest.digest:
            return result.figures[_ORDERS[manifest.kind]][METRIC], f"result on {result.dataset}"
    for name, figures in manifest.metrics.items():
        value = figures.get(METRIC) if isinstance(figures, dict) else None
        if isinstance(value, float) and (not shops or any(name.startswith(result.dataset) for result in shops)):
            return Interval(value, value, value, 0), f"card: {name}"
    return None, ""


def _with_frontier(costs: Sequence[BundleCost]) -> list[BundleCost]:
    """Marks those that no other one of the kind beats in latency without losing quality, or in quality for no more."""

    def beaten(cost: BundleCost) -> bool:
        return cost.quality is None or any(
            other.quality is not None
            and other.quality.value >= cost.quality.value
            and other.latency_ms.value <= cost.latency_ms.value
            and (other.quality.value, -other.latency_ms.value) > (cost.quality.value, -cost.latency_ms.value)
            for other in costs
        )

    return [replace(cost, on_frontier=not beaten(cost)) for cost in costs]
