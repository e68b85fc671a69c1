"""A candidate bundle is promoted only when it loses nothing."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder
from training.errors import TrainingError
from training.promotion import Decision, Report, compare, compare_reports, decide, promote, read_report
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


def _report(path: Path, embedder: str, step: float = 0.0, **other: object) -> Report:
    content = {
        "dataset": "icecat",
        "made_of": {"embedder": embedder, "ranker": "sha256:r", "rank_depth": 32} | other,
        "by_query": {"dense": {"judged": _values(0.8, step)}, "ranked": {"judged": _values(0.8, step)}},
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_report(path, "dense")


def test_a_report_is_read_by_order(tmp_path: Path) -> None:
    report = _report(tmp_path / "report.json", "sha256:a")
    assert report.values["judged"] == _values(0.8)
    assert report.made_of["embedder"] == "sha256:a"
    with pytest.raises(TrainingError, match="'fused'"):
        read_report(tmp_path / "report.json", "fused")


def test_reports_of_other_conditions_are_refused(tmp_path: Path) -> None:
    before, after = _report(tmp_path / "a", "sha256:a"), _report(tmp_path / "b", "sha256:b", ranker="sha256:s")
    assert len(compare_reports(before, after, "embedder", "dense")) == 1
    with pytest.raises(TrainingError, match="only the embedder may differ"):
        compare_reports(before, after, "embedder", "ranked")
    with pytest.raises(TrainingError, match="same data"):
        compare_reports(before, replace(after, dataset="zh"), "embedder", "dense")


def _bundle(folder: Path, scratch: Path, seed: int) -> str:
    scratch.mkdir(exist_ok=True)
    trimmed = trim(write_tokenizer(scratch), ["red 手机"])
    trained = Trained(bert_tensors(len(trimmed.pieces), seed=seed), 4, 1e-12, trimmed.tokenizer_json, {}, {})
    prompts = {"query": "", "document": ""}
    return write_embedder(folder, trained, "tiny", "1", prompts, int8=False).manifest.digest


@dataclass(frozen=True)
class _Shop:
    service: Path
    candidate: Path
    old: str
    new: str
    before: Report

    def promote(self, step: float) -> Decision:
        after = _report(self.service.with_name("after.json"), self.new, step)
        why = self.service.with_name("why.json")
        return promote(self.candidate, self.service, "embedder", self.before, after, "dense", why)

    @property
    def served(self) -> str:
        return load_bundle(self.service, "embedder").manifest.digest


@pytest.fixture
def shop(tmp_path: Path) -> _Shop:
    service, candidate = tmp_path / "service", tmp_path / "candidate"
    old, new = _bundle(service, tmp_path / "t", 0), _bundle(candidate, tmp_path / "t", 1)
    return _Shop(service, candidate, old, new, _report(tmp_path / "before.json", old))


def test_promotion_swaps_the_bundle_or_leaves_it_and_says_why(tmp_path: Path, shop: _Shop) -> None:
    assert not shop.promote(-0.01).promote
    assert shop.served == shop.old
    assert json.loads((tmp_path / "why.json").read_text())["promoted"] is False
    assert shop.promote(0.01).promote
    assert shop.served == shop.new
    why = json.loads((tmp_path / "why.json").read_text())
    assert (why["in_service"], why["candidate"], why["promoted"]) == (shop.old, shop.new, True)
    assert not list(tmp_path.glob(".service.*"))


def test_reports_of_other_bundles_are_refused(tmp_path: Path, shop: _Shop) -> None:
    with pytest.raises(TrainingError, match="evaluate that bundle and give its report"):
        replace(shop, new=shop.old).promote(0.01)
    assert shop.served == shop.old
    assert not (tmp_path / "why.json").exists()


def test_a_decision_that_cannot_be_written_leaves_the_bundle_in_service(tmp_path: Path, shop: _Shop) -> None:
    (tmp_path / "why.json").mkdir()
    with pytest.raises(TrainingError, match=r"why\.json is a folder"):
        shop.promote(0.01)
    assert shop.served == shop.old


def test_a_swap_that_was_cut_off_is_undone(tmp_path: Path, shop: _Shop) -> None:
    # The moment between the two renames: no bundle is in service.
    shop.service.rename(tmp_path / ".service.old")
    (tmp_path / ".service.new").mkdir()
    assert not shop.promote(-0.01).promote
    assert shop.served == shop.old


def test_a_swap_that_fails_leaves_the_bundle_in_service(shop: _Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fail_on_new(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_on_new)
    with pytest.raises(OSError, match="No space left"):
        shop.promote(0.01)
    assert shop.served == shop.old


def test_a_digest_that_does_not_match_ends_with_one_line(shop: _Shop) -> None:
    (shop.candidate / "model.onnx").write_bytes(b"changed")
    with pytest.raises(TrainingError, match="does not match"):
        shop.promote(0.01)
    assert shop.served == shop.old
