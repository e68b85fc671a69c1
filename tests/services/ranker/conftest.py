"""A ranker bundle made on the spot: its logit is known by hand, so that tests can say what is right."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from vitrine.bundle import Bundle, Calibration, Manifest, write_bundle
from vitrine.compute import ComputeBudget

# A product's logit is the sum of its words' weights; the query's words add nothing, unknown words add nothing.
WEIGHTS = {"good": 1.0, "strong": 4.0, "bad": -2.0, "hair": 2**-12, "broken": float("nan")}
SPECIAL = ["[UNK]", "[CLS]", "[SEP]"]
MAX_TOKENS = 128

BundleMaker = Callable[..., Path]


def _write_tokenizer(path: Path) -> None:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WEIGHTS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("[一-鿿]"), "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(path))


def _write_model(path: Path) -> None:
    """logits = sum over tokens of weight[id] * type * mask: words of type 1 alone count."""
    weights = np.array([0.0] * len(SPECIAL) + list(WEIGHTS.values()), dtype=np.float32)
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["word"]),
        helper.make_node("Mul", ["token_type_ids", "attention_mask"], ["counted"]),
        helper.make_node("Equal", ["counted", "one"], ["is_counted"]),
        helper.make_node("Where", ["is_counted", "word", "nothing"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["logits"], keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array(1, dtype=np.int64), "one"),
        numpy_helper.from_array(np.array(0, dtype=np.float32), "nothing"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n"])]
    graph = helper.make_graph(nodes, "ranker", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory) -> BundleMaker:
    """Writes a bundle and gives its folder; keyword arguments change its manifest."""

    def make(**changes: object) -> Path:
        folder = tmp_path_factory.mktemp("ranker")
        write_ranker_bundle(folder, **changes)
        return folder

    return make


def write_ranker_bundle(folder: Path, **changes: object) -> Bundle:
    """Such a bundle, in a folder that is there and empty."""
    _write_tokenizer(folder / "tokenizer.json")
    _write_model(folder / "model.onnx")
    manifest = Manifest(
        kind="ranker",
        name="tiny-ranker",
        version="1",
        dim=0,
        max_tokens=MAX_TOKENS,
        languages=["zh", "en"],
        licence="Apache-2.0",
        calibration=Calibration(scale=1.0, bias=-1.0, evidence={"logit": 1.0, "dense": 2.0, "lexical": 0.5}),
        self_test={"query": "watch", "document": "good strong watch", "logit": 5.0},
    )
    return write_bundle(folder, manifest.model_copy(update=changes))


@pytest.fixture(scope="session")
async def budget() -> AsyncIterator[ComputeBudget]:
    """One compute budget for all engines of these tests, of one thread: one call keeps it busy."""
    budget = ComputeBudget(threads=1)
    yield budget
    await budget.close()
