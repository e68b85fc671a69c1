"""Float32 ONNX -> int8 ONNX for serving."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_MS = "com.microsoft"
_ACTIVATION_LEVELS = 127
# Seven bits: processors without VNNI add pairs of products in 16 bits, which eight bits overflow. So the integers, and
# nearly the vectors, are the same on every processor.
_WEIGHT_LEVELS = 63
_MIDDLE = 128


def quantize(source: Path, target: Path) -> None:
    """Int8 in every layer: weights with a scale per output channel, activations with a scale per token.

    The usual dynamic quantisation has one activation scale for the whole batch, so that a text's vector changes with
    the texts beside it. With a scale per token it does not, and it is closer to float32 at the same speed.
    """
    model = onnx.load(str(source))
    _quantize_words(model.graph)
    _split_attention(model.graph)
    _quantize_layers(model.graph)
    onnx.save_model(model, str(target))


def _split_attention(graph: onnx.GraphProto) -> None:
    """Replace each Attention by the product that makes query, key and value, and attention over the three."""
    nodes = []
    for node in graph.node:
        if node.op_type != "Attention":
            nodes.append(node)
            continue
        states, weight, bias, mask = node.input
        out = node.output[0]
        heads = next(attribute.i for attribute in node.attribute if attribute.name == "num_heads")
        parts = [f"{out}_{part}" for part in ("query", "key", "value")]
        nodes += [
            helper.make_node("MatMul", [states, weight], [out + "_qkv"], name=out + "_qkv_node"),
            helper.make_node("Split", [out + "_qkv"], parts, axis=2),
            helper.make_node("MultiHeadAttention", [*parts, bias, mask], [out], domain=_MS, num_heads=heads),
        ]
    _replace_nodes(graph, nodes)


def _quantize_layers(graph: onnx.GraphProto) -> None:
    """Replace the layers' products of states (n, t, d) and a weight by products of int8."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    _constant(graph, "smallest_peak", np.float32(1e-12))
    _constant(graph, "per_level", np.float32(1 / _ACTIVATION_LEVELS))
    _constant(graph, "unit_scale", np.float32(1))
    _constant(graph, "middle", np.uint8(_MIDDLE))
    _constant(graph, "weight_middle", np.int8(0))
    nodes: list[onnx.NodeProto] = []
    scaled: set[str] = set()
    for node in graph.node:
        if node.op_type != "MatMul" or not node.name.startswith("layer") or node.input[1] not in weights:
            nodes.append(node)
            continue
        states, weight = node.input
        out = node.output[0]
        _int8_weight(graph, weights.pop(weight), out)
        if states not in scaled:
            scaled.add(states)
            nodes += _int8_states(states)
        product = [states + "_int8", out + "_int8", "unit_scale", out + "_scale", "middle", "weight_middle"]
        nodes += [
            helper.make_node("MatMulIntegerToFloat", product, [out + "_unscaled"], domain=_MS),
            helper.make_node("Mul", [out + "_unscaled", states + "_scale"], [out]),
        ]
    _replace_nodes(graph, nodes)


def _int8_states(states: str) -> list[onnx.NodeProto]:
    """Nodes that make uint8 states around 128, and a scale per token (n, t, 1)."""
    return [
        helper.make_node("Abs", [states], [states + "_size"]),
        helper.make_node("ReduceMax", [states + "_size"], [states + "_peak"], axes=[2], keepdims=1),
        helper.make_node("Max", [states + "_peak", "smallest_peak"], [states + "_safe_peak"]),
        helper.make_node("Mul", [states + "_safe_peak", "per_level"], [states + "_scale"]),
        helper.make_node("Div", [states, states + "_scale"], [states + "_levels"]),
        helper.make_node("QuantizeLinear", [states + "_levels", "unit_scale", "middle"], [states + "_int8"]),
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
    output = graph.node[at].output[0]
    graph.node.remove(graph.node[at])
    added = [
        helper.make_node("Gather", ["words_int8", "input_ids"], ["word_int8_rows"]),
        helper.make_node("Cast", ["word_int8_rows"], ["word_unscaled_rows"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", ["words_scale", "input_ids"], ["word_row_scales"]),
        helper.make_node("Mul", ["word_unscaled_rows", "word_row_scales"], [output]),
    ]
    for offset, node in enumerate(added):
        graph.node.insert(at + offset, node)


def _constant(graph: onnx.GraphProto, name: str, values: "NDArray[np.generic] | np.generic") -> None:
    graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
