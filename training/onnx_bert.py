"""Writes a BERT encoder as an ONNX graph of the operators that ONNX Runtime runs fastest on a CPU.

Attention, SkipLayerNormalization and BiasGelu are ONNX Runtime's own fused operators (domain com.microsoft). Writing
them directly gives the same graph whatever the versions of torch's exporter and of the fusion passes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.e5_weights import Floats

_OPSET = 17
_MS = "com.microsoft"


class BertGraph:
    """A graph under construction; each method adds nodes and returns the name of what they compute."""

    def __init__(self, tensors: Mapping[str, Floats], heads: int, eps: float) -> None:
        self._tensors = tensors
        self._heads = heads
        self._eps = eps
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self.layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        made = helper.make_node(op, list(inputs), [output], name=output + "_node", domain=domain, **attributes)
        self._nodes.append(made)
        return output

    def states(self, with_types: bool) -> str:
        """The last layer's token states (n, t, d)."""
        self.node("Cast", ["attention_mask"], "mask_int32", to=TensorProto.INT32)
        states = self._embeddings(with_types)
        for layer in range(self.layers):
            states = self._layer(layer, states)
        return states

    def _embeddings(self, with_types: bool) -> str:
        prefix = "embeddings."
        words = self.constant("words", self._tensors[prefix + "word_embeddings.weight"])
        positions = self.constant("positions", self._tensors[prefix + "position_embeddings.weight"])
        types = self._tensors[prefix + "token_type_embeddings.weight"]
        self.node("Gather", [words, "input_ids"], "word_rows")
        self.node("Shape", ["input_ids"], "length", start=1, end=2)
        starts, axes = self.constant("zero", np.array([0])), self.constant("first_axis", np.array([0]))
        self.node("Slice", [positions, starts, "length", axes], "position_rows")
        self.node("Add", ["word_rows", "position_rows"], "placed")
        if with_types:
            self.node("Gather", [self.constant("types", types), "token_type_ids"], "type_rows")
        else:
            self.constant("type_rows", types[0])
        self.node("Add", ["placed", "type_rows"], "typed")
        return self._norm("LayerNormalization", ["typed"], prefix + "LayerNorm", "embedded", domain="", axis=-1)

    def _layer(self, layer: int, states: str) -> str:
        prefix, name = f"encoder.layer.{layer}.", f"layer{layer}_"
        parts = [prefix + f"attention.self.{part}." for part in ("query", "key", "value")]
        weight = np.concatenate([self._tensors[part + "weight"].T for part in parts], axis=1)
        bias = np.concatenate([self._tensors[part + "bias"] for part in parts])
        qkv = [self.constant(name + "qkv", weight), self.constant(name + "qkv_bias", bias)]
        attended = self.node(
            "Attention", [states, *qkv, "mask_int32"], name + "attended", domain=_MS, num_heads=self._heads
        )
        mixed = self._matmul(attended, prefix + "attention.output.dense", name + "mixed")
        states = self._skip_norm(mixed, states, prefix + "attention.output", name + "attention_out")
        wide = self._matmul(states, prefix + "intermediate.dense", name + "wide")
        wide_bias = self.constant(name + "wide_bias", self._tensors[prefix + "intermediate.dense.bias"])
        active = self.node("BiasGelu", [wide, wide_bias], name + "active", domain=_MS)
        narrow = self._matmul(active, prefix + "output.dense", name + "narrow")
        return self._skip_norm(narrow, states, prefix + "output", name + "out")

    def _matmul(self, states: str, dense: str, output: str) -> str:
        return self.node(
            "MatMul", [states, self.constant(output + "_weight", self._tensors[dense + ".weight"].T)], output
        )

    def _skip_norm(self, states: str, skip: str, prefix: str, output: str) -> str:
        bias = self.constant(output + "_bias", self._tensors[prefix + ".dense.bias"])
        return self._norm("SkipLayerNormalization", [states, skip], prefix + ".LayerNorm", output, _MS, bias)

    def _norm(
        self, op: str, inputs: list[str], layer_norm: str, output: str, domain: str, *bias: str, **attributes: int
    ) -> str:
        gain = self.constant(output + "_gain", self._tensors[layer_norm + ".weight"])
        shift = self.constant(output + "_shift", self._tensors[layer_norm + ".bias"])
        return self.node(op, [*inputs, gain, shift, *bias], output, domain, epsilon=self._eps, **attributes)

    def unit_mean(self, states: str, output: str) -> None:
        """Mean of the states under the mask, L2-normalised (n, d); zeros where the mask is empty."""
        summed = self._masked_sum(states)
        self.node("ReduceL2", [summed], "norm", axes=[1], keepdims=1)
        self.node("Max", ["norm", self.constant("tiny", np.array([1e-12], dtype=np.float32))], "safe_norm")
        self.node("Div", [summed, "safe_norm"], output)

    def pooled_logit(self, states: str, output: str) -> None:
        """The ranker's head over the mean state: a tanh layer, then one weight per hidden unit; logits (n,)."""
        summed = self._masked_sum(states)
        self.node("ReduceSum", ["mask_column", "token_axis"], "count", keepdims=0)
        self.node("Div", [summed, "count"], "mean")
        self.node("MatMul", ["mean", self.constant("head_dense", self._tensors["head.dense.weight"].T)], "head_wide")
        self.node("Add", ["head_wide", self.constant("head_bias", self._tensors["head.dense.bias"])], "head_sum")
        self.node("Tanh", ["head_sum"], "head_active")
        self.node(
            "MatMul", ["head_active", self.constant("head_out", self._tensors["head.out.weight"].T)], "head_logit"
        )
        self.node("Add", ["head_logit", self.constant("head_out_bias", self._tensors["head.out.bias"])], "head_column")
        self.node("Squeeze", ["head_column", self.constant("column_axis", np.array([1]))], output)

    def _masked_sum(self, states: str) -> str:
        self.node("Cast", ["attention_mask"], "mask_float", to=TensorProto.FLOAT)
        self.node("Unsqueeze", ["mask_float", self.constant("last_axis", np.array([2]))], "mask_column")
        self.node("Mul", [states, "mask_column"], "kept")
        return self.node("ReduceSum", ["kept", self.constant("token_axis", np.array([1]))], "summed", keepdims=0)

    def save(self, path: Path, inputs: Sequence[str], output: str, shape: Sequence[str | int]) -> None:
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in inputs],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(shape))],
            self._initializers,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MS, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="vitrine")
        onnx.save_model(model, str(path))


def write_embedder_onnx(tensors: Mapping[str, Floats], heads: int, eps: float, path: Path) -> None:
    """Token ids and mask -> "vectors" (n, d)."""
    graph = BertGraph(tensors, heads, eps)
    graph.unit_mean(graph.states(with_types=False), "vectors")
    dim = tensors["embeddings.word_embeddings.weight"].shape[1]
    graph.save(path, ["input_ids", "attention_mask"], "vectors", ["batch", dim])


def write_ranker_onnx(tensors: Mapping[str, Floats], heads: int, eps: float, path: Path) -> None:
    """Token ids, mask and types -> "logits" (n,); `tensors` hold head.dense and head.out beside the encoder's."""
    graph = BertGraph(tensors, heads, eps)
    graph.pooled_logit(graph.states(with_types=True), "logits")
    graph.save(path, ["input_ids", "attention_mask", "token_type_ids"], "logits", ["batch"])
