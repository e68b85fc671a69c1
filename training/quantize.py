"""Float32 ONNX -> int8 ONNX for serving."""

import logging
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize(source: Path, target: Path, reduce_range: bool = True) -> None:
    """Dynamic int8: weights with one scale per output channel, word rows with one scale per row.

    `reduce_range` keeps weights to 7 bits: processors without VNNI add pairs of products in 16 bits, which full range
    overflows.
    """
    model = onnx.load(str(source))
    _quantize_words(model.graph)
    onnx.save_model(model, str(target))
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser warns on the root logger about optional pre-processing
    quantize_dynamic(
        target,
        target,
        op_types_to_quantize=["MatMul", "Attention"],
        nodes_to_exclude=["head_wide_node", "head_logit_node"],
        per_channel=True,
        reduce_range=reduce_range,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


def _quantize_words(graph: onnx.GraphProto) -> None:
    """Replace the word table by int8 rows and a scale per row (a table-wide scale costs rare words their precision)."""
    words = next(tensor for tensor in graph.initializer if tensor.name == "words")
    rows = numpy_helper.to_array(words)
    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-8) / 127.0
    graph.initializer.remove(words)
    graph.initializer.append(numpy_helper.from_array(np.round(rows / scale).astype(np.int8), "words_int8"))
    graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), "words_scale"))
    at = next(index for index, node in enumerate(graph.node) if "words" in node.input)
    output = graph.node[at].output[0]
    graph.node.remove(graph.node[at])
    added = [
        helper.make_node("Gather", ["words_int8", "input_ids"], ["word_int8_rows"]),
        helper.make_node("Cast", ["word_int8_rows"], ["word_unscaled_rows"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["words_scale", "input_ids"], ["word_row_scales"]),
        helper.make_node("Mul", ["word_unscaled_rows", "word_row_scales"], [output]),
    ]
    for offset, node in enumerate(added):
        graph.node.insert(at + offset, node)
