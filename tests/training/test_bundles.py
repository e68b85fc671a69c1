"""What is exported computes what was trained."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder, write_ranker
from training.cross_encoder import CrossEncoder, pad_pairs, pair_row
from training.encoder import Encoder, build_bert, pad_batch
from training.vocabulary import Trimmed, trim
from vitrine.bundle import Calibration, load_bundle

_ROWS = [[0, 7, 9, 12, 2], [0, 20, 2], [0, *range(4, 24), 2]]


@pytest.fixture
def trimmed(tmp_path: Path) -> Trimmed:
    return trim(write_tokenizer(tmp_path), ["red blue phone case 手机"])


def _trained(trimmed: Trimmed, tensors: dict[str, np.ndarray]) -> Trained:
    return Trained(tensors, 4, 1e-12, trimmed.tokenizer_json, {"base": "tiny"}, {})


@pytest.mark.parametrize(("int8", "least"), [(False, 0.999), (True, 0.98)])
def test_embedder_onnx_equals_torch(tmp_path: Path, trimmed: Trimmed, int8: bool, least: float) -> None:
    tensors = bert_tensors(len(trimmed.pieces))
    folder = tmp_path / "embedder"
    written = write_embedder(
        folder, _trained(trimmed, tensors), "tiny", "1", {"query": "? ", "document": ""}, int8=int8
    )
    assert load_bundle(folder, "embedder").manifest.digest == written.manifest.digest
    assert (folder / "model.safetensors").exists() is not int8
    ids, mask = pad_batch(_ROWS, 1)
    with torch.inference_mode():
        expected = Encoder(build_bert(tensors, 4, 1)).eval()(ids, mask).numpy()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    vectors = session.run(["vectors"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    assert ((vectors * expected).sum(axis=1) >= least).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_embedder_gives_zeros_for_no_tokens(tmp_path: Path, trimmed: Trimmed) -> None:
    tensors = bert_tensors(len(trimmed.pieces))
    write_embedder(tmp_path / "e", _trained(trimmed, tensors), "tiny", "1", {"query": "", "document": ""}, int8=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "e" / "model.onnx"))
    ids = np.ones((1, 3), dtype=np.int64)
    vectors = session.run(None, {"input_ids": ids, "attention_mask": np.zeros_like(ids)})[0]
    assert (vectors == 0).all()


def test_places_without_a_token_do_not_count_wherever_they_stand(tmp_path: Path, trimmed: Trimmed) -> None:
    tensors = bert_tensors(len(trimmed.pieces))
    write_embedder(tmp_path / "e", _trained(trimmed, tensors), "tiny", "1", {"query": "", "document": ""}, int8=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "e" / "model.onnx"))
    ids, mask = pad_batch([_ROWS[0], _ROWS[0], _ROWS[0]], 1)
    mask[0, 0] = mask[1, 2] = mask[2, 4] = 0
    with torch.inference_mode():
        expected = Encoder(build_bert(tensors, 4, 1)).eval()(ids, mask).numpy()
    vectors = session.run(["vectors"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_onnxruntime_takes_its_vectorised_layer_norm(tmp_path: Path, trimmed: Trimmed) -> None:
    """It fuses sum and norm of (n, t, d) into SkipLayerNormalization, which took a fifth of a batch's time."""
    tensors = bert_tensors(len(trimmed.pieces))
    write_embedder(tmp_path / "e", _trained(trimmed, tensors), "tiny", "1", {"query": "", "document": ""}, int8=True)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(tmp_path / "e" / "model.onnx"), options)
    operators = [node.op_type for node in onnx.load(str(tmp_path / "optimised.onnx")).graph.node]
    assert operators.count("LayerNormalization") == 1 + 2 * 2
    assert "SkipLayerNormalization" not in operators


@pytest.mark.parametrize(("int8", "tolerance"), [(False, 1e-4), (True, 0.02)])
def test_ranker_onnx_equals_torch(tmp_path: Path, trimmed: Trimmed, int8: bool, tolerance: float) -> None:
    torch.manual_seed(0)
    model = CrossEncoder(build_bert(bert_tensors(len(trimmed.pieces)), 4, 1)).eval()
    calibration = Calibration(scale=2.0, bias=-1.0, evidence={"logit": 1.0, "dense": 0.5, "lexical": 0.1})
    write_ranker(tmp_path / "ranker", _trained(trimmed, model.tensors()), "tiny", "1", calibration, int8=int8)
    bundle = load_bundle(tmp_path / "ranker", "ranker")
    assert bundle.manifest.calibration == calibration
    ids, mask, types = pad_pairs([pair_row(_ROWS[1], row, 16) for row in _ROWS], 1)
    with torch.inference_mode():
        expected = model(ids, mask, types).numpy()
    session = onnxruntime.InferenceSession(str(bundle.path("model.onnx")))
    feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": types.numpy()}
    np.testing.assert_allclose(session.run(["logits"], feed)[0], expected, atol=tolerance)


def test_a_failed_write_leaves_the_bundle_that_is_there(tmp_path: Path, trimmed: Trimmed) -> None:
    tensors = bert_tensors(len(trimmed.pieces))
    prompts = {"query": "", "document": ""}
    first = write_embedder(tmp_path / "e", _trained(trimmed, tensors), "tiny", "1", prompts, int8=False)
    broken = {name: values for name, values in tensors.items() if "intermediate" not in name}
    with pytest.raises(KeyError):
        write_embedder(tmp_path / "e", _trained(trimmed, broken), "tiny", "2", prompts, int8=False)
    assert load_bundle(tmp_path / "e", "embedder").manifest.digest == first.manifest.digest
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_pair_is_cut_in_the_product_only() -> None:
    ids, types = pair_row([0, 5, 6, 2], [0, 7, 8, 9, 10, 2], max_tokens=7)
    assert ids == [0, 5, 6, 2, 7, 8, 2]
    assert types == [0, 0, 0, 0, 1, 1, 1]


def test_a_bundle_names_the_languages_that_its_tokenizer_can_write(tmp_path: Path, trimmed: Trimmed) -> None:
    tensors, prompts = bert_tensors(len(trimmed.pieces)), {"query": "", "document": ""}
    both = write_embedder(tmp_path / "both", _trained(trimmed, tensors), "tiny", "1", prompts, int8=True)
    assert both.manifest.languages == ["zh", "en"]
    document = json.loads(trimmed.tokenizer_json)
    document["model"]["vocab"] = [
        ["?" if piece == "机" else piece, score] for piece, score in document["model"]["vocab"]
    ]
    english = replace(_trained(trimmed, tensors), tokenizer_json=json.dumps(document))
    assert write_embedder(tmp_path / "en", english, "tiny", "1", prompts, int8=True).manifest.languages == ["en"]
