"""A bundle written anew: the same weights and card, by the graph of this version."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bases import load_base
from training.bundles import Trained, write_embedder, write_ranker
from training.compressed_body import body_of
from training.compressed_bundle import manifest_of, write_compressed
from training.errors import TrainingError
from training.quantize import quantize
from training.rewriting import rewrite_bundle
from training.vocabulary import trim
from vitrine.bundle import Bundle, Calibration, load_bundle, write_bundle


def _write(folder: Path, kind: str, int8: bool) -> Bundle:
    trimmed = trim(write_tokenizer(folder.parent), ["red 手机"])
    tensors = bert_tensors(len(trimmed.pieces))
    if kind == "ranker":
        head = {"head.dense": (32, 32), "head.out": (1, 32)}
        for seed, (name, shape) in enumerate(head.items()):
            values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
            tensors |= {f"{name}.weight": values, f"{name}.bias": values[:, 0]}
    trained = Trained(tensors, 4, 1e-12, trimmed.tokenizer_json, {"base": "tiny"}, {"auc": 0.9}, licence="CC0-1.0")
    if kind == "ranker":
        calibration = Calibration(scale=2.0, bias=-1.0, evidence={"logit": 1.0, "dense": 0.5, "lexical": 0.1})
        return write_ranker(folder, trained, "tiny", "1", calibration, int8)
    return write_embedder(folder, trained, "tiny", "1", {"query": "? ", "document": ""}, int8)


def _with(bundle: Bundle, **values: Any) -> Bundle:
    """The bundle with these values in its card."""
    return write_bundle(bundle.folder, bundle.manifest.model_copy(update=values))


def _weights(bundle: Bundle) -> dict[str, np.ndarray]:
    graph = onnx.load(str(bundle.path("model.onnx"))).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


@pytest.mark.parametrize("kind", ["embedder", "ranker"])
@pytest.mark.parametrize("int8", [True, False])
def test_weights_and_card_stay_as_they_were(tmp_path: Path, kind: str, int8: bool) -> None:
    before = _write(tmp_path / "before", kind, int8)
    after = rewrite_bundle(before.folder, tmp_path / "after", "1.0.1")
    told = {"version", "digest", "files", "lineage", "self_test"}
    assert after.manifest.model_dump(exclude=told) == before.manifest.model_dump(exclude=told)
    assert after.manifest.version == "1.0.1"
    assert after.manifest.lineage == {**before.manifest.lineage, "weights_of": before.manifest.digest}
    assert sorted(after.manifest.files) == sorted(before.manifest.files)
    weights, again = _weights(before), _weights(after)
    assert weights.keys() == again.keys()
    for name, values in weights.items():
        if values.dtype == np.int8:
            np.testing.assert_array_equal(again[name], values, name)
        np.testing.assert_allclose(again[name], values, rtol=3e-7, err_msg=name)


def test_a_bundle_can_be_written_anew_in_its_place(tmp_path: Path) -> None:
    before = _write(tmp_path / "tiny", "embedder", int8=True)
    after = rewrite_bundle(before.folder, before.folder, "2")
    assert load_bundle(before.folder, "embedder").manifest == after.manifest
    assert after.manifest.files == before.manifest.files


def test_languages_and_prompts_stay_as_the_card_tells_them(tmp_path: Path) -> None:
    before = _with(_write(tmp_path / "before", "embedder", int8=True), languages=["de", "en"], prompts={})
    after = rewrite_bundle(before.folder, tmp_path / "after", "2")
    assert load_bundle(tmp_path / "after", "embedder").manifest == after.manifest
    assert after.manifest.languages == ["de", "en"]
    assert not any(after.manifest.prompts.values())


@pytest.mark.parametrize("kind", ["embedder", "ranker"])
@pytest.mark.parametrize("int8", [True, False])
def test_pruned_heads_stay_pruned_and_the_onnx_file_alone(tmp_path: Path, kind: str, int8: bool) -> None:
    """Float32 weights beside it would be of a shape that neither torch nor training can load."""
    base = load_base(str(_write(tmp_path / "base", kind, int8=False).folder))
    body = replace(body_of(base), kept_heads=((0, 2), (1, 3)))
    (tmp_path / "pruned").mkdir()
    body.write(tmp_path / "pruned")
    if int8:
        quantize(tmp_path / "pruned" / "model.onnx", tmp_path / "int8.onnx")
        (tmp_path / "int8.onnx").rename(tmp_path / "pruned" / "model.onnx")
    card = manifest_of(base, body)
    before = write_compressed(tmp_path / "before", tmp_path / "pruned", card, None if int8 else body, [], {})
    after = rewrite_bundle(before.folder, tmp_path / "after", "2")
    answer = "logit" if kind == "ranker" else "vector_head"
    assert after.manifest.self_test[answer] == pytest.approx(before.manifest.self_test[answer], abs=1e-4)
    assert sorted(after.manifest.files) == ["model.onnx", "tokenizer.json"]
    for folder in (before.folder, after.folder):
        with pytest.raises(TrainingError, match="some of its heads were pruned"):
            load_base(str(folder))


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"bundle\.json is not a bundle's manifest"):
        rewrite_bundle(tmp_path, tmp_path / "after", "2")
