"""A candidate bundle is promoted only when it loses nothing."""

import json
from pathlib import Path

import pytest

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder
from training.errors import TrainingError
from training.promotion import Comparison, compare, decide, promote, read_report
from training.vocabulary import trim
from vitrine.bundle import load_bundle


def _values(base: float, step: float = 0.0) -> dict[str, float]:
    return {f"query {n}": base + 0.01 * (n % 7) + step for n in range(40)}


def test_a_steady_fall_is_significant_and_refused() -> None:
    comparison = compare("judged", _values(0.8), _values(0.8, -0.003))
    assert comparison.p_value < 0.01
    assert comparison.loses
    assert not decide([comparison]).promote
    assert "a loss" in decide([comparison]).reasons[0]


def test_an_equal_or_better_candidate_is_promoted() -> None:
    assert compare("judged", _values(0.8), _values(0.8)).p_value == 1.0
    assert decide([compare("judged", _values(0.8), _values(0.8, 0.01))]).promote
    assert not decide([]).promote


def test_other_queries_are_refused() -> None:
    with pytest.raises(TrainingError, match="same queries"):
        compare("judged", _values(0.8), {"another": 0.9})


def test_a_report_is_read_by_order(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"by_query": {"dense": {"judged": {"tv": 0.5}}}}', encoding="utf-8")
    assert read_report(path, "dense") == {"judged": {"tv": 0.5}}
    with pytest.raises(TrainingError, match="'ranked'"):
        read_report(path, "ranked")


def _bundle(folder: Path, scratch: Path, seed: int) -> str:
    scratch.mkdir(exist_ok=True)
    trimmed = trim(write_tokenizer(scratch), ["red 手机"])
    trained = Trained(bert_tensors(len(trimmed.pieces), seed=seed), 4, 1e-12, trimmed.tokenizer_json, {}, {})
    prompts = {"query": "", "document": ""}
    return write_embedder(folder, trained, "tiny", "1", prompts, int8=False).manifest.digest


def test_promotion_swaps_the_bundle_or_leaves_it_and_says_why(tmp_path: Path) -> None:
    service, candidate, report = tmp_path / "service", tmp_path / "candidate", tmp_path / "why.json"
    old, new = _bundle(service, tmp_path / "t", 0), _bundle(candidate, tmp_path / "t", 1)
    worse = [Comparison("judged", 40, 0.8, 0.7, 0.001)]
    assert not promote(candidate, service, "embedder", worse, report).promote
    assert load_bundle(service, "embedder").manifest.digest == old
    assert json.loads(report.read_text())["promoted"] is False
    better = [Comparison("judged", 40, 0.8, 0.9, 0.001)]
    assert promote(candidate, service, "embedder", better, report).promote
    assert load_bundle(service, "embedder").manifest.digest == new
    assert json.loads(report.read_text())["in_service"] == old


def test_a_digest_that_does_not_match_ends_with_one_line(tmp_path: Path) -> None:
    service, candidate = tmp_path / "service", tmp_path / "candidate"
    _bundle(service, tmp_path / "t", 0)
    _bundle(candidate, tmp_path / "t", 1)
    (candidate / "model.onnx").write_bytes(b"changed")
    with pytest.raises(TrainingError, match="does not match"):
        promote(candidate, service, "embedder", [Comparison("judged", 1, 0, 1, 1)], tmp_path / "why.json")
