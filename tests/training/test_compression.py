"""Smaller encoders stay encoders, and the ledger says what each step cost."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder
from training.compression import keep_layers, layer_count, narrow_feed_forward
from training.encoder import build_bert
from training.errors import TrainingError
from training.ledger import Step, enter, measure
from training.vocabulary import trim
from vitrine.bundle import load_bundle


def test_kept_layers_are_spaced_and_renumbered() -> None:
    tensors = bert_tensors(20, layers=6)
    smaller = keep_layers(tensors, 3)
    assert layer_count(smaller) == 3
    for new, old in enumerate((1, 3, 5)):
        name = "attention.self.query.weight"
        np.testing.assert_array_equal(smaller[f"encoder.layer.{new}.{name}"], tensors[f"encoder.layer.{old}.{name}"])
    build_bert(smaller, 4, 1)


def test_the_units_that_weigh_most_are_kept() -> None:
    tensors = bert_tensors(20)
    tensors["encoder.layer.0.intermediate.dense.weight"][5] *= 100
    smaller = narrow_feed_forward(tensors, 8)
    assert smaller["encoder.layer.0.output.dense.weight"].shape == (32, 8)
    assert np.abs(smaller["encoder.layer.0.intermediate.dense.weight"]).max() > 10
    build_bert(smaller, 4, 1)


@pytest.mark.parametrize("count", [0, 7])
def test_impossible_sizes_are_refused(count: int) -> None:
    with pytest.raises(TrainingError, match="cannot keep"):
        keep_layers(bert_tensors(20, layers=6), count)
    with pytest.raises(TrainingError, match="cannot keep"):
        narrow_feed_forward(bert_tensors(20), count * 100)


def test_the_ledger_goes_into_the_card_without_changing_the_digest(tmp_path: Path) -> None:
    trimmed = trim(write_tokenizer(tmp_path), ["red 手机"])
    trained = Trained(bert_tensors(len(trimmed.pieces)), 4, 1e-12, trimmed.tokenizer_json, {"base": "tiny"}, {})
    folders = {"float32": tmp_path / "f", "int8": tmp_path / "i"}
    for name, folder in folders.items():
        write_embedder(folder, trained, "tiny", "1", {"query": "", "document": ""}, int8=name == "int8")
    digest = load_bundle(folders["int8"], "embedder").manifest.digest
    entries = measure([Step(name, folder / "model.onnx", {"auc": 0.9}) for name, folder in folders.items()])
    assert entries[0].ratio_to_previous == 1.0
    assert entries[1].size_mb < entries[0].size_mb
    enter(folders["int8"], "embedder", entries)
    manifest = load_bundle(folders["int8"], "embedder").manifest
    assert manifest.digest == digest
    assert [line["step"] for line in manifest.lineage["ledger"]] == ["float32", "int8"]
