"""Bundles are found, timed in turns, and shown with the quality that somebody measured; never how fast."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.bundle_cost import Workload, find_bundles, measure_bundles
from evaluation.result import RelevanceResult
from vitrine.bundle import load_bundle, write_bundle
from vitrine.errors import FailedPrecondition, InvalidArgument

EMBEDDER, RANKER = Path("models/embedder"), Path("models/ranker")
SMALL = {"embedder": Workload(1, 4, 3), "ranker": Workload(2, 6, 3)}


def test_a_folder_of_bundles_and_one_bundle_twice() -> None:
    assert [bundle.folder for bundle in find_bundles([EMBEDDER, Path("models")])] == [EMBEDDER, RANKER]
    assert find_bundles([]) == []


def test_costs(own_result: RelevanceResult, tmp_path: Path) -> None:
    shutil.copytree(EMBEDDER, tmp_path / "other")
    manifest = load_bundle(EMBEDDER, "embedder").manifest
    metrics = {"my <shop> dev": {"judged": 0.25}, "elsewhere": {"judged": 0.75}}
    write_bundle(tmp_path / "other", manifest.model_copy(update={"metrics": metrics, "max_tokens": 128}))
    heard: list[tuple[str, int, int]] = []
    bundles = find_bundles([Path("models"), tmp_path / "other"])
    costs = measure_bundles(bundles, [own_result], lambda *stage: heard.append(stage), SMALL)
    assert [(cost.letter, cost.kind, cost.folder) for cost in costs] == [
        ("A", "embedder", EMBEDDER),
        ("B", "embedder", tmp_path / "other"),
        ("C", "ranker", RANKER),
    ]
    assert ("time embedder bundles", 3, 3) in heard
    first, other, ranker = costs
    assert first.quality == own_result.figures["dense"]["judged"]
    assert ranker.quality == own_result.figures["ranked"]["judged"]
    assert first.quality_from == "result on my <shop>"
    assert other.quality is not None
    assert (other.quality.value, other.quality_from) == (0.25, "card: my <shop> dev"), "no result was made with it"
    assert (first.ratio.value, first.ratio.low, first.ratio.high) == (1.0, 1.0, 1.0)
    assert other.ratio.value == pytest.approx(other.latency_ms.value / first.latency_ms.value)
    assert first.size_mb == pytest.approx(sum(path.stat().st_size for path in EMBEDDER.iterdir()) / 1e6, rel=0.01)
    assert first.on_frontier, "the best quality is never beaten"
    assert other.on_frontier == (other.latency_ms.value < first.latency_ms.value)
    assert ranker.on_frontier


def test_a_bundle_that_nobody_measured_is_not_on_the_frontier(own_result: RelevanceResult) -> None:
    unmeasured = replace(own_result, made_of={}, dataset="somewhere new")
    (cost,) = measure_bundles(find_bundles([EMBEDDER]), [unmeasured], lambda *stage: None, SMALL)
    assert (cost.quality, cost.quality_from, cost.on_frontier) == (None, "", False)


def test_what_is_no_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="is no bundle and holds none"):
        find_bundles([tmp_path])
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(FailedPrecondition, match="is not a bundle manifest"):
        find_bundles([tmp_path])
