"""The torch runtime on rankers: the head that training writes, and what does not fit it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.training.tiny import bert_tensors, tokenizer_document, write_tokenizer
from training.bundles import Trained, write_ranker
from training.e5_weights import Floats
from vitrine.bundle import Bundle, Calibration, write_bundle
from vitrine.compute import ComputeBudget
from vitrine.errors import FailedPrecondition
from vitrine.inference import Runtime, load_session
from vitrine.vectors import FloatArray

ROWS = [[0, *[5 + (number * place) % 30 for place in range(1, 2 + number % 20)], 2] for number in range(40)]
TYPES = [[0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2) for row in ROWS]


def _head(hidden: int) -> Mapping[str, Floats]:
    rng = np.random.default_rng(5)
    shapes = {"dense.weight": (hidden, hidden), "dense.bias": (hidden,), "out.weight": (1, hidden), "out.bias": (1,)}
    return {f"head.{name}": rng.normal(scale=0.4, size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("ranker")
    vocabulary = len(tokenizer_document()["model"]["vocab"])  # type: ignore[index]
    tensors = {**bert_tensors(vocabulary), **_head(32)}
    trained = Trained(tensors, 4, 1e-12, write_tokenizer(folder).read_text(), {}, {})
    calibration = Calibration(scale=1.0, bias=0.0, evidence={"logit": 1.0, "dense": 1.0, "lexical": 0.1})
    return write_ranker(folder / "bundle", trained, "tiny", "1", calibration, int8=False)


def _logits(bundle: Bundle, runtime: Runtime) -> FloatArray:
    session = load_session(bundle, ComputeBudget(threads=1), runtime)
    return np.array([float(logit) for logit in session.run(ROWS, TYPES)])  # type: ignore[arg-type]


def test_both_runtimes_give_a_trained_rankers_logits(ranker: Bundle) -> None:
    onnx = _logits(ranker, "onnxruntime")
    assert np.ptp(onnx) > 0.1
    assert np.abs(onnx - _logits(ranker, "torch")).max() < 1e-3


def test_types_count_in_both(ranker: Bundle) -> None:
    session = load_session(ranker, ComputeBudget(threads=1), "torch")
    flat = [float(logit) for logit in session.run(ROWS, [[0] * len(row) for row in ROWS])]  # type: ignore[arg-type]
    assert np.abs(np.array(flat) - _logits(ranker, "torch")).max() > 1e-2


def test_half_a_head_is_refused(ranker: Bundle, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes(ranker.path(name).read_bytes())
    tensors = load_file(ranker.path("model.safetensors"))
    del tensors["head.out.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    broken = write_bundle(tmp_path, ranker.manifest)
    with pytest.raises(FailedPrecondition, match=r"lacks head\.out\.bias of its head"):
        load_session(broken, ComputeBudget(threads=1), "torch")
