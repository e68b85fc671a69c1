"""Float32 ONNX of onnx_bert -> int8 ONNX for serving: activations scaled per token, per tensor, or by calibration."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType
from onnxruntime.quantization import quantize_dynamic as ort_dynamic
from onnxruntime.quantization import quantize_static as ort_static

from training.errors import TrainingError
from training.onnx_bert import TOKENS

_MS = "com.microsoft"
_ACTIVATION_LEVELS = 127
# Seven bits: processors without VNNI add pairs of products in 16 bits, which eight bits overflow. So the integers, and
# nearly the vectors, are the same on every processor.
_WEIGHT_LEVELS = 63
_MIDDLE = 128
_GELU_DEPTH = 0.17  # GELU falls to -0.16997 and no further
_WEIGHTS: dict[str, Any] = {
    "weight_type": QuantType.QInt8,
    "per_channel": True,
    "reduce_range": True,
    "extra_options": {"OpTypesToExcludeOutputQuantization": ["MatMul"]},  # the next operator computes in float32
}


def quantize(source: Path, target: Path) -> None:
    """Int8 in every layer: weights with a scale per output channel, activations with a scale per token.

    The usual dynamic quantisation has one activation scale for the whole batch, so that a text's vector changes with
    the texts beside it. With a scale per token it does not, and it is closer to float32 at the same speed.
    """
    model = _load(source)
    _quantize_words(model.graph)
    _quantize_layers(model.graph)
    onnx.save_model(model, str(target))


def quantize_per_tensor(source: Path, target: Path) -> None:
    """The usual dynamic quantisation: one activation scale for each product of a batch, found as it runs."""

    def make(plain: Path, products: list[str]) -> None:
        ort_dynamic(plain, target, nodes_to_quantize=products, **_WEIGHTS)

    _by_onnxruntime(source, target, make)


def quantize_static(source: Path, target: Path, feeds: Iterable[dict[str, Any]]) -> None:
    """Activation scales fixed beforehand, one for each product: the extremes that `feeds`, model inputs, cause."""

    def make(plain: Path, products: list[str]) -> None:
        ort_static(
            plain,
            target,
            _Feeds(feeds),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            nodes_to_quantize=products,
            **_WEIGHTS,
        )

    _by_onnxruntime(source, target, make)


def _by_onnxruntime(source: Path, target: Path, make: Callable[[Path, list[str]], None]) -> None:
    """Let ONNX Runtime quantise the layers' products; the word table keeps a scale per row, as everywhere."""
    model = _load(source)
    _quantize_words(model.graph)
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if _is_layer_product(node, weights)]
    # Shape inference does not know the fused operators; what has no type is left in float32.
    for states in dict.fromkeys(name for node in products for name in (node.input[0], node.output[0])):
        typed = helper.make_tensor_value_info(states, onnx.TensorProto.FLOAT, ["tokens", None])
        model.graph.value_info.append(typed)
    plain = target.with_name(f".{target.name}.split.onnx")
    try:
        onnx.save_model(model, str(plain))
        with _without_advice():
            make(plain, [node.name for node in products])
    finally:
        plain.unlink(missing_ok=True)


@contextmanager
def _without_advice() -> Iterator[None]:
    """ONNX Runtime advises to optimise the graph first; this graph is written in fused operators."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)


class _Feeds(CalibrationDataReader):  # type: ignore[misc]
    """Model inputs, one after the other, as the calibration asks for them."""

    def __init__(self, feeds: Iterable[dict[str, Any]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _load(source: Path) -> onnx.ModelProto:
    """The float32 model. Raises TrainingError for one of before 26 November 2026, as a resumed run may hold."""
    model = onnx.load(str(source))
    if not any(TOKENS in node.output for node in model.graph.node):
        raise TrainingError(f"{source} was written by an earlier version; delete {source.parent} to make it again")
    return model


def _is_layer_product(node: onnx.NodeProto, weights: "set[str] | dict[str, onnx.TensorProto]") -> bool:
    """Whether the node multiplies states (tokens, d) by a layer's weight."""
    return bool(node.op_type == "MatMul" and node.name.startswith("layer") and node.input[1] in weights)


def _quantize_layers(graph: onnx.GraphProto) -> None:
    """Replace the layers' products of states (tokens, d) and a weight by products of int8."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    _constant(graph, "smallest_peak", np.float32(1e-12))
    _constant(graph, "gelu_depth", np.float32(_GELU_DEPTH))
    _constant(graph, "per_level", np.float32(1 / _ACTIVATION_LEVELS))
    _constant(graph, "unit_scale", np.float32(1))
    _constant(graph, "middle", np.uint8(_MIDDLE))
    _constant(graph, "weight_middle", np.int8(0))
    _constant(graph, "scale_axis", np.array([1]))
    of_gelu = {node.output[0] for node in graph.node if node.op_type == "BiasGelu"}
    nodes: list[onnx.NodeProto] = []
    scaled: set[str] = set()
    for node in graph.node:
        if not _is_layer_product(node, weights):
            nodes.append(node)
            continue
        states, weight = node.input
        out = node.output[0]
        _int8_weight(graph, weights.pop(weight), out)
        if not scaled:
            nodes += _middles()
        if states not in scaled:
            scaled.add(states)
            nodes += _int8_states(states, states in of_gelu)
        product = [states + "_int8", out + "_int8", "unit_scale", out + "_scale", "middle", "weight_middle"]
        nodes += [
            helper.make_node("MatMulIntegerToFloat", product, [out + "_unscaled"], domain=_MS),
            helper.make_node("Mul", [out + "_unscaled", states + "_scale"], [out]),
        ]
    _replace_nodes(graph, nodes)


def _middles() -> list[onnx.NodeProto]:
    """Nodes that make "middles" (tokens,): 128, once for each token."""
    middle = numpy_helper.from_array(np.array([_MIDDLE], dtype=np.uint8))
    return [
        helper.make_node("Shape", [TOKENS], ["token_count"]),
        helper.make_node("ConstantOfShape", ["token_count"], ["middles"], value=middle),
    ]


def _int8_states(states: str, of_gelu: bool) -> list[onnx.NodeProto]:
    """Nodes that make uint8 states around 128, and a scale per token (tokens, 1)."""
    peak, lowest, depth = states + "_peak", states + "_lowest", states + "_depth"
    # GELU's own least value stands for the least of its states: one pass over them less.
    depths = ["gelu_depth"] if of_gelu else [depth, "smallest_peak"]
    below = [
        helper.make_node("ReduceMin", [states], [lowest], axes=[1], keepdims=1),
        helper.make_node("Neg", [lowest], [depth]),
    ]
    return [
        helper.make_node("ReduceMax", [states], [peak], axes=[1], keepdims=1),
        *([] if of_gelu else below),
        helper.make_node("Max", [peak, *depths], [states + "_safe_peak"]),
        helper.make_node("Mul", [states + "_safe_peak", "per_level"], [states + "_scale"]),
        helper.make_node("Squeeze", [states + "_scale", "scale_axis"], [states + "_scales"]),
        helper.make_node("QuantizeLinear", [states, states + "_scales", "middles"], [states + "_int8"], axis=0),
    ]


def _int8_weight(graph: onnx.GraphProto, tensor: onnx.TensorProto, name: str) -> None:
    weight = numpy_helper.to_array(tensor)
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-8) / _WEIGHT_LEVELS
    graph.initializer.remove(tensor)
    _constant(graph, name + "_int8", np.round(weight / scale).astype(np.int8))
    _constant(graph, name + "_scale", scale.astype(np.float32))


def _quantize_words(graph: onnx.GraphProto) -> None:
    """Replace the word table by int8 rows and a scale per row (a table-wide scale costs rare words their precision)."""
    words = next(tensor for tensor in graph.initializer if tensor.name == "words")
    rows = numpy_helper.to_array(words)
    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-8) / 127.0
    graph.initializer.remove(words)
    _constant(graph, "words_int8", np.round(rows / scale).astype(np.int8))
    _constant(graph, "words_scale", scale.astype(np.float32))
    at = next(index for index, node in enumerate(graph.node) if "words" in node.input)
    ids, output = graph.node[at].input[1], graph.node[at].output[0]
    graph.node.remove(graph.node[at])
    added = [
        helper.make_node("Gather", ["words_int8", ids], ["word_int8_rows"]),
        helper.make_node("Cast", ["word_int8_rows"], ["word_unscaled_rows"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", ["words_scale", ids], ["word_row_scales"]),
        helper.make_node("Mul", ["word_unscaled_rows", "word_row_scales"], [output]),
    ]
    for offset, node in enumerate(added):
        graph.node.insert(at + offset, node)


def _constant(graph: onnx.GraphProto, name: str, values: "NDArray[np.generic] | np.generic") -> None:
    graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
