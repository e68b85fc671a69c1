"""The ledger says what each step cost, from models and reports that exist."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder, write_ranker
from training.cross_encoder import CrossEncoder
from training.encoder import build_bert
from training.errors import TrainingError
from training.ledger import Step, enter, measure
from training.ledger_chain import Link, bundle_kind, parse_link, report_figures, resolve
from training.vocabulary import trim
from vitrine.bundle import Calibration, load_bundle
from vitrine.errors import FailedPrecondition


def _trained(tmp_path: Path, layers: int, head: bool = False) -> Trained:
    trimmed = trim(write_tokenizer(tmp_path), ["red 手机"])
    tensors = bert_tensors(len(trimmed.pieces), layers=layers)
    if head:
        positions = tensors["embeddings.position_embeddings.weight"]
        tensors["embeddings.position_embeddings.weight"] = np.concatenate([positions, positions])
        tensors = CrossEncoder(build_bert(tensors, 4, 1)).tensors()
    return Trained(tensors, 4, 1e-12, trimmed.tokenizer_json, {"base": "tiny"}, {})


def _embedder(tmp_path: Path, name: str, layers: int = 2, int8: bool = True) -> Path:
    write_embedder(tmp_path / name, _trained(tmp_path, layers), "t", "1", {"query": "", "document": ""}, int8=int8)
    return tmp_path / name


def test_the_ledger_goes_into_the_card_without_changing_the_digest(tmp_path: Path) -> None:
    float32, int8 = _embedder(tmp_path, "f", int8=False), _embedder(tmp_path, "i")
    digest = load_bundle(int8, "embedder").manifest.digest
    entries = measure([Step("float32", float32, {"auc": 0.9}), Step("int8", int8)], "embedder")
    assert (entries[0].ratio_to_previous, entries[0].ratio_to_first) == (1.0, 1.0)
    assert entries[1].size_mb < entries[0].size_mb
    enter(int8, "embedder", entries, rule="smallest")
    manifest = load_bundle(int8, "embedder").manifest
    assert manifest.digest == digest
    assert [line["step"] for line in manifest.lineage["ledger"]] == ["float32", "int8"]
    assert manifest.lineage["ledger"][0]["figures"] == {"auc": 0.9}
    assert manifest.lineage["ledger_latency_of"].startswith("1 query of 10 tokens")
    assert manifest.lineage["rule"] == "smallest"
    assert manifest.lineage["base"] == "tiny"


def test_rankers_are_timed_on_pairs(tmp_path: Path) -> None:
    calibration = Calibration(scale=1, bias=0, evidence={"logit": 1})
    for name, layers in (("deep", 4), ("small", 1)):
        write_ranker(tmp_path / name, _trained(tmp_path, layers, head=True), "t", "1", calibration, int8=True)
    steps = resolve([Link("deep", str(tmp_path / "deep")), Link("small", str(tmp_path / "small"))], "ranker", tmp_path)
    entries = measure(steps, "ranker")
    assert entries[1].latency_ms < entries[0].latency_ms
    assert entries[1].ratio_to_first == entries[1].ratio_to_previous < 1
    assert bundle_kind(tmp_path / "deep") == "ranker"


def test_a_step_is_written_as_name_bundle_and_reports() -> None:
    assert parse_link("int8=out/e:a.json:b.json") == Link("int8", "out/e", (Path("a.json"), Path("b.json")))
    assert parse_link("e5, 12 layers=packaged:e5") == Link("e5, 12 layers", "packaged:e5")
    assert parse_link("base=packaged:e5:a.json") == Link("base", "packaged:e5", (Path("a.json"),))
    for wrong in ("models/embedder", "=models/embedder", "name="):
        with pytest.raises(TrainingError, match="is not NAME=BUNDLE"):
            parse_link(wrong)


def test_figures_come_from_reports_of_the_very_bundle(tmp_path: Path) -> None:
    folder = _embedder(tmp_path, "e")
    bundle = load_bundle(folder, "embedder")
    report = tmp_path / "report.json"
    content = {
        "dataset": "icecat",
        "made_of": {"embedder": bundle.manifest.digest, "ranker": "sha256:1"},
        "figures": {"dense": {"judged": {"value": 0.9, "low": 0.8}}, "ranked": {"judged": {"value": 0.95}}},
    }
    report.write_text(json.dumps(content), encoding="utf-8")
    (step,) = resolve([Link("int8", str(folder), (report,))], "embedder", tmp_path)
    assert step.figures == {"icecat dense judged": 0.9}
    with pytest.raises(TrainingError, match="evaluate that bundle again"):
        report_figures(report, "embedder", load_bundle(_embedder(tmp_path, "other", layers=1), "embedder"))
    report.write_text("{}", encoding="utf-8")
    with pytest.raises(TrainingError, match="is no report"):
        report_figures(report, "embedder", bundle)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="no bundle at"):
        bundle_kind(tmp_path)
    folder = _embedder(tmp_path, "e")
    (folder / "model.onnx").write_bytes(b"cut short")
    with pytest.raises(TrainingError, match="cannot load"):
        measure([Step("cut", folder)], "embedder")
