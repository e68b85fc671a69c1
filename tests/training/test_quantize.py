"""Three kinds of int8, near float32; the shipped kind stays what it was, bit for bit."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.training.tiny import bert_tensors
from training.errors import TrainingError
from training.int8_choice import PER_TENSOR, PER_TOKEN, STATIC, excess, keep, variants, worst_loss, write_variant
from training.ledger import Entry
from training.onnx_bert import write_embedder_onnx
from training.quantize import quantize

_IDS = np.arange(60, dtype=np.int64).reshape(6, 10) % 20
_FEED = {"input_ids": _IDS, "attention_mask": np.ones_like(_IDS)}


@pytest.fixture
def float32(tmp_path: Path) -> Path:
    write_embedder_onnx(bert_tensors(20), 4, 1e-12, tmp_path / "float32.onnx")
    return tmp_path / "float32.onnx"


def _vectors(model: Path, feed: dict[str, np.ndarray] = _FEED) -> np.ndarray:
    vectors: np.ndarray = onnxruntime.InferenceSession(model).run(None, feed)[0]
    return vectors


@pytest.mark.parametrize("variant", [PER_TOKEN, PER_TENSOR, STATIC])
def test_every_variant_is_int8_and_near_float32(tmp_path: Path, float32: Path, variant: str) -> None:
    target = tmp_path / "int8.onnx"
    write_variant(variant, float32, target, lambda: [_FEED])
    assert target.stat().st_size < 0.6 * float32.stat().st_size
    cosines = (_vectors(target) * _vectors(float32)).sum(axis=1)
    assert 0.95 < cosines.min() < 0.999999
    assert sorted(path.name for path in tmp_path.iterdir()) == ["float32.onnx", "int8.onnx"]


def test_only_a_scale_per_tensor_lets_the_batch_change_a_vector(tmp_path: Path, float32: Path) -> None:
    moved = {}
    for variant in (PER_TOKEN, PER_TENSOR, STATIC):
        write_variant(variant, float32, tmp_path / "int8.onnx", lambda: [_FEED])
        alone = _vectors(tmp_path / "int8.onnx", {name: values[:1] for name, values in _FEED.items()})
        moved[variant] = float(np.abs(alone[0] - _vectors(tmp_path / "int8.onnx")[0]).max())
    assert moved[PER_TOKEN] < 1e-5
    assert moved[STATIC] < 1e-5
    assert moved[PER_TENSOR] > 1e-4


def test_the_scale_per_token_is_what_the_shipped_bundles_hold(tmp_path: Path) -> None:
    """The bytes of a model whose weights are all made of exact numbers."""
    tensors = {
        name: np.round(np.sin(np.arange(values.size)) * 64).reshape(values.shape).astype(np.float32) / 64
        for name, values in bert_tensors(20).items()
    }
    write_embedder_onnx(tensors, 4, 1e-12, tmp_path / "float32.onnx")
    quantize(tmp_path / "float32.onnx", tmp_path / "int8.onnx")
    digest = hashlib.sha256((tmp_path / "int8.onnx").read_bytes()).hexdigest()
    assert digest[:16] == "838a9036d6470775"


@pytest.mark.parametrize("variant", [PER_TOKEN, PER_TENSOR, STATIC])
def test_a_graph_of_an_earlier_version_is_refused_in_one_line(tmp_path: Path, float32: Path, variant: str) -> None:
    """As a run folder holds it that such a version began; what came of it no runtime could load."""
    model = onnx.load(str(float32))
    for node in model.graph.node:
        node.output[:] = [name.replace("tokens", "others") for name in node.output]
    onnx.save_model(model, str(float32))
    with pytest.raises(TrainingError, match=rf"earlier version; delete {tmp_path} to make it again"):
        write_variant(variant, float32, tmp_path / "int8.onnx", lambda: [_FEED])
    assert not (tmp_path / "int8.onnx").exists()


def _entry(step: str, latency: float, cosine: float) -> Entry:
    return Entry(step, 1.0, latency, 1.0, 1.0, {"mean cosine": cosine, "top-10 overlap": 0.9})


def test_the_fastest_that_loses_little_is_kept() -> None:
    float32 = _entry("float32", 9.0, 1.0)
    slow, fast, worse = _entry("slow", 5.0, 0.999), _entry("fast", 4.0, 0.996), _entry("worse", 1.0, 0.99)
    assert keep(float32, [slow, fast, worse]) is fast
    assert keep(float32, [worse, _entry("worst", 0.5, 0.9)]) is worse
    assert excess(float32, fast) == {}
    assert "of mean cosine" in excess(float32, worse)["int8_loses"]
    assert worst_loss(float32.figures, worse.figures) == (pytest.approx(0.01), "mean cosine")
    assert variants("none") == ()
    assert variants("best") == (PER_TOKEN, PER_TENSOR, STATIC)
