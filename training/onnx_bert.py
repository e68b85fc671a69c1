"""Writes a BERT encoder as an ONNX graph of the operators that ONNX Runtime runs fastest on a CPU.

The layers compute tokens, one row each (tokens, d): the padding of a batch (n, t) stands in attention and in the mean
alone. MultiHeadAttention and BiasGelu are ONNX Runtime's own operators (domain com.microsoft); written directly, the
graph is the same whatever the versions of torch's exporter and of the fusion passes. Sums and LayerNormalization stand
alone, for which ONNX Runtime has a vectorised kernel and for SkipLayerNormalization none; it fuses no rows (tokens, d).
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
TOKENS = "tokens"


class BertGraph:
    """A graph under construction; each method adds nodes and returns the name of what they compute."""

    def __init__(self, tensors: Mapping[str, Floats], heads: int, eps: float) -> None:
        self._tensors = tensors
        self._heads = heads
        self._eps = eps
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self.layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self._initializers[name] = numpy_helper.from_array(np.array(values, order="C"), name)
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        made = helper.make_node(op, list(inputs), [output], name=output + "_node", domain=domain, **attributes)
        self._nodes.append(made)
        return output

    def states(self, with_types: bool) -> str:
        """The last layer's token states (n, t, d)."""
        self._tokens()
        states = self._embeddings(with_types)
        for layer in range(self.layers):
            states = self._layer(layer, states)
        return self._padded(states, "states")

    def _tokens(self) -> None:
        """TOKENS (tokens,): where in the flattened batch a token stands; and for each place (n, t) its token's row.

        The first place counts as a token whatever its mask, so that a batch without any has a row to compute.
        """
        self.node("Cast", ["attention_mask"], "mask_int32", to=TensorProto.INT32)
        self.node("Shape", ["attention_mask"], "batch_shape")
        one = self.constant("one", np.array([1]))
        end, axis = self.constant("end", np.array([np.iinfo(np.int64).max])), self.constant("first_axis", np.array([0]))
        self.node("Slice", [self._flat("attention_mask"), one, end, axis], "mask_after_first")
        self.node("Concat", [one, "mask_after_first"], "kept_places", axis=0)
        self.node("NonZero", ["kept_places"], "token_column")
        self.node("Squeeze", ["token_column", axis], TOKENS)
        self.node("CumSum", ["kept_places", self.constant("place_axis", np.array(0))], "tokens_up_to")
        # A place without a token takes the row of the token before it, which attention's mask and the mean leave out.
        self.node("Sub", ["tokens_up_to", one], "flat_rows")
        self.node("Reshape", ["flat_rows", "batch_shape"], "token_rows")

    def _flat(self, values: str) -> str:
        """Values of (n, t) as (n * t,)."""
        return self.node("Reshape", [values, self.constant("whole", np.array([-1]))], values + "_flat")

    def _padded(self, rows: str, output: str) -> str:
        """Rows (tokens, d) as (n, t, d)."""
        return self.node("Gather", [rows, "token_rows"], output)

    def _embeddings(self, with_types: bool) -> str:
        prefix = "embeddings."
        words = self.constant("words", self._tensors[prefix + "word_embeddings.weight"])
        positions = self.constant("positions", self._tensors[prefix + "position_embeddings.weight"])
        types = self._tensors[prefix + "token_type_embeddings.weight"]
        self.node("Gather", [self._flat("input_ids"), TOKENS], "token_ids")
        self.node("Gather", [words, "token_ids"], "word_rows")
        self.node("Shape", ["input_ids"], "length", start=1, end=2)
        self.node("Mod", [TOKENS, "length"], "token_places")
        self.node("Gather", [positions, "token_places"], "position_rows")
        self.node("Add", ["word_rows", "position_rows"], "placed")
        if with_types:
            self.node("Gather", [self._flat("token_type_ids"), TOKENS], "token_types")
            self.node("Gather", [self.constant("types", types), "token_types"], "type_rows")
        else:
            self.constant("type_rows", types[0])
        self.node("Add", ["placed", "type_rows"], "typed")
        return self._norm("typed", prefix + "LayerNorm", "embedded")

    def _layer(self, layer: int, states: str) -> str:
        prefix, name = f"encoder.layer.{layer}.", f"layer{layer}_"
        parts = [prefix + f"attention.self.{part}." for part in ("query", "key", "value")]
        weight = np.concatenate([self._tensors[part + "weight"].T for part in parts], axis=1)
        bias = np.concatenate([self._tensors[part + "bias"] for part in parts])
        attended = self._attention(states, weight, bias, name)
        mixed = self._matmul(attended, prefix + "attention.output.dense", name + "mixed")
        states = self._skip_norm(mixed, states, prefix + "attention.output", name + "attention_out")
        wide = self._matmul(states, prefix + "intermediate.dense", name + "wide")
        wide_bias = self.constant(name + "wide_bias", self._tensors[prefix + "intermediate.dense.bias"])
        active = self.node("BiasGelu", [wide, wide_bias], name + "active", domain=_MS)
        narrow = self._matmul(active, prefix + "output.dense", name + "narrow")
        return self._skip_norm(narrow, states, prefix + "output", name + "out")

    def _attention(self, states: str, weight: NDArray[Any], bias: NDArray[Any], name: str) -> str:
        """Query, key and value by one product, and attention within each row of the batch."""
        out = name + "attended"
        self.node("MatMul", [states, self.constant(name + "qkv", weight)], out + "_qkv")
        parts = [f"{out}_{part}" for part in ("query", "key", "value")]
        padded = self._padded(out + "_qkv", out + "_padded_qkv")
        self._nodes.append(helper.make_node("Split", [padded], parts, name=out + "_split_node", axis=2))
        parts += [self.constant(name + "qkv_bias", bias), "mask_int32"]
        self.node("MultiHeadAttention", parts, out + "_padded", domain=_MS, num_heads=self._heads)
        rows = self.constant("attended_rows", np.array([-1, weight.shape[1] // 3]))
        self.node("Reshape", [out + "_padded", rows], out + "_places")
        return self.node("Gather", [out + "_places", TOKENS], out)

    def _matmul(self, states: str, dense: str, output: str) -> str:
        return self.node(
            "MatMul", [states, self.constant(output + "_weight", self._tensors[dense + ".weight"].T)], output
        )

    def _skip_norm(self, states: str, skip: str, prefix: str, output: str) -> str:
        bias = self.constant(output + "_bias", self._tensors[prefix + ".dense.bias"])
        self.node("Add", [states, bias], output + "_biased")
        self.node("Add", [output + "_biased", skip], output + "_sum")
        return self._norm(output + "_sum", prefix + ".LayerNorm", output)

    def _norm(self, states: str, layer_norm: str, output: str) -> str:
        gain = self.constant(output + "_gain", self._tensors[layer_norm + ".weight"])
        shift = self.constant(output + "_shift", self._tensors[layer_norm + ".bias"])
        return self.node("LayerNormalization", [states, gain, shift], output, epsilon=self._eps, axis=-1)

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
            list(self._initializers.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MS, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="vitrine")
        onnx.save_model(model, str(path))


def has_all_heads(tensors: Mapping[str, Floats]) -> bool:
    """Whether attention is as wide as the states. Where heads were pruned it is not, and transformers has no form."""
    heads_width, states_width = tensors["encoder.layer.0.attention.self.query.weight"].shape
    return bool(heads_width == states_width)


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
