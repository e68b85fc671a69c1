"""Bundles: written, read back, and refused when anything in them is not what it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from vitrine.bundle import MANIFEST, Calibration, Manifest, load_bundle, write_bundle
from vitrine.errors import FailedPrecondition


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "kind": "embedder",
        "name": "tiny",
        "version": "1",
        "dim": 4,
        "max_tokens": 16,
        "languages": ["zh", "en"],
        "licence": "Apache-2.0",
        "self_test": {"text": "watch"},
    }
    return Manifest(**fields | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle = tmp_path / "tiny"
    bundle.mkdir()
    (bundle / "model.onnx").write_bytes(b"weights")
    (bundle / "tokenizer.json").write_text("{}")
    (bundle / ".scratch").write_text("left over")
    return bundle


def test_a_written_bundle_is_read_back(folder: Path) -> None:
    written = write_bundle(folder, manifest())
    read = load_bundle(folder, "embedder")
    assert read.manifest == written.manifest
    assert read.manifest.digest.startswith("sha256:")
    assert sorted(read.manifest.files) == ["model.onnx", "tokenizer.json"]
    assert read.path("model.onnx").read_bytes() == b"weights"
    assert not (folder / f".{MANIFEST}.tmp").exists()


def test_the_digest_follows_what_changes_answers_and_nothing_else(folder: Path) -> None:
    digest = write_bundle(folder, manifest()).manifest.digest
    assert write_bundle(folder, manifest(metrics={"ndcg": 0.9}, lineage={"base": "e5"})).manifest.digest == digest
    assert write_bundle(folder, manifest(prompts={"query": "query: "})).manifest.digest != digest
    (folder / "model.onnx").write_bytes(b"other weights")
    assert write_bundle(folder, manifest()).manifest.digest != digest


def test_a_missing_file_name_says_what_there_is(folder: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"has no vocab\.txt; it holds \['model\.onnx', 'tokenizer\.json'\]"):
        write_bundle(folder, manifest()).path("vocab.txt")


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"no bundle at .*absent"):
        load_bundle(tmp_path / "absent", "embedder")


def test_an_embedder_where_a_ranker_is_needed(folder: Path) -> None:
    """infinity#106 (case 143): an embedding model loaded as a reranker failed late and opaquely."""
    write_bundle(folder, manifest())
    with pytest.raises(FailedPrecondition, match="is for the embedder, and one for the ranker is needed"):
        load_bundle(folder, "ranker")


def test_a_changed_file_is_refused(folder: Path) -> None:
    write_bundle(folder, manifest())
    (folder / "model.onnx").write_bytes(b"weightz")
    with pytest.raises(FailedPrecondition, match=r"model\.onnx does not match its digest"):
        load_bundle(folder, "embedder")


def test_a_lost_file_is_refused(folder: Path) -> None:
    write_bundle(folder, manifest())
    (folder / "tokenizer.json").unlink()
    with pytest.raises(FailedPrecondition, match=r"lacks tokenizer\.json"):
        load_bundle(folder, "embedder")


def test_a_file_outside_the_folder_is_refused(folder: Path) -> None:
    write_bundle(folder, manifest())
    (folder.parent / "secret").write_text("x")
    path = folder / MANIFEST
    edited = json.loads(path.read_text())
    edited["files"]["../secret"] = "0" * 64
    path.write_text(json.dumps(edited))
    with pytest.raises(FailedPrecondition, match=r"lacks \.\./secret"):
        load_bundle(folder, "embedder")


def test_a_changed_setting_is_refused(folder: Path) -> None:
    write_bundle(folder, manifest(pooling="mean"))
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"mean"', '"cls"'))
    with pytest.raises(FailedPrecondition, match="does not match its own digest"):
        load_bundle(folder, "embedder")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "embedder"}', '{"surprise": 1}'])
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(FailedPrecondition, match="is not a bundle manifest"):
        load_bundle(folder, "embedder")


def test_a_calibration_that_would_turn_the_order_round_is_refused() -> None:
    with pytest.raises(ValueError, match="scale"):
        Calibration(scale=-1, bias=0, evidence={"logit": 1})
