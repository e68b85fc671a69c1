"""The commands that measure, compare and swap bundles: what they print, and how they end."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder
from training.vocabulary import trim
from vitrine.bundle import load_bundle


def _bundle(tmp_path: Path, name: str, layers: int) -> Path:
    trimmed = trim(write_tokenizer(tmp_path), ["red 手机"])
    trained = Trained(bert_tensors(len(trimmed.pieces), layers=layers), 4, 1e-12, trimmed.tokenizer_json, {}, {})
    write_embedder(tmp_path / name, trained, name, "1", {"query": "", "document": ""}, int8=True)
    return tmp_path / name


def _report(folder: Path, value: float) -> Path:
    digest = load_bundle(folder, "embedder").manifest.digest
    path = folder.with_suffix(".json")
    content = {
        "dataset": "shop",
        "made_of": {"embedder": digest, "ranker": "sha256:r"},
        "figures": {"dense": {"judged": {"value": value}}},
        "by_query": {"dense": {"judged": {f"query {n}": value for n in range(20)}}},
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["train", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_chain_is_measured_and_entered(tmp_path: Path) -> None:
    deep, small = _bundle(tmp_path, "deep", 4), _bundle(tmp_path, "small", 1)
    steps = ("--step", f"deep={deep}:{_report(deep, 0.9)}", "--step", f"small={small}:{_report(small, 0.8)}")
    code, printed, _ = _run("ledger", "--bundle", small, *steps, "--dry-run")
    assert code == 0
    assert "times as fast as first" in printed
    assert "ledger" not in load_bundle(small, "embedder").manifest.lineage
    assert _run("ledger", "--bundle", small, *steps)[0] == 0
    lines = load_bundle(small, "embedder").manifest.lineage["ledger"]
    assert [line["figures"] for line in lines] == [{"shop dense judged": 0.9}, {"shop dense judged": 0.8}]
    code, _, said = _run("ledger", "--bundle", small, "--step", "small")
    assert (code, said) == (1, "error: --step 'small' is not NAME=BUNDLE or NAME=BUNDLE:REPORT.json\n")


@pytest.mark.parametrize(("value", "code", "last"), [(0.95, 0, "promoted"), (0.8, 1, "the bundle in service stays")])
def test_promotion_ends_with_its_decision(tmp_path: Path, value: float, code: int, last: str) -> None:
    served, candidate = _bundle(tmp_path, "served", 2), _bundle(tmp_path, "candidate", 1)
    reports = ("--in-service-report", _report(served, 0.9), "--candidate-report", _report(candidate, value))
    asked = ("--candidate", candidate, "--in-service", served, "--order", "dense", "--why", tmp_path / "why.json")
    ended, printed, _ = _run("promote", *asked, *reports)
    assert ended == code
    assert printed.splitlines()[-1].endswith(last)
    assert load_bundle(served, "embedder").manifest.name == ("candidate" if code == 0 else "served")


@pytest.mark.parametrize(("text", "said"), [("rate", "is not NAME=LOW:HIGH"), ("rate=2:1", "must be below the second")])
def test_a_range_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    products = tmp_path / "products.jsonl"
    asked = ("--what", "embedder", "--products", products, "--base", "packaged:e5", "--run-dir", tmp_path / "run")
    code, _, error = _run("tune", *asked, "--range", text)
    assert code == 1
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_language_texts_need_a_language_and_a_file(tmp_path: Path) -> None:
    asked = ("--bundle", "packaged:e5", "--products", "p.jsonl", "--out", tmp_path / "o", "--run-dir", tmp_path / "r")
    code, _, error = _run("compress", *asked, "--language-texts", "de")
    assert (code, error) == (1, "error: --language-texts 'de' is not LANGUAGE=FILE\n")


def test_a_bundle_is_written_anew(tmp_path: Path) -> None:
    folder = _bundle(tmp_path, "tiny", 1)
    code, printed, _ = _run("rewrite", "--bundle", folder, "--version", "1.0.1", "--out", tmp_path / "anew")
    assert (code, printed) == (0, f"{load_bundle(tmp_path / 'anew', 'embedder').manifest.digest} {tmp_path / 'anew'}\n")
    code, _, said = _run("rewrite", "--bundle", tmp_path / "none", "--version", "2", "--out", tmp_path / "anew")
    assert (code, said.count("\n")) == (1, 1)
