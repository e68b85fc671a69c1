"""Reads a BERT encoder's weights back from model.onnx as `onnx_bert` and `quantize` wrote it: int8 ones dequantised.

So what ships can be fine-tuned further, and written again: a shop has the bundle, and not the run that made it. The
graphs of before 26 November 2026, with padding in every layer, hold their weights by the same names.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from training.e5_weights import Floats
from training.errors import TrainingError

_ATTENTION = ("Attention", "MultiHeadAttention")
_LAYER = re.compile(r"layer(\d+)_attended(_node)?")
_DENSE = {"mixed": "attention.output.dense", "wide": "intermediate.dense", "narrow": "output.dense"}
_NORMS = {"attention_out": "attention.output", "out": "output"}
_HEAD = {
    "head_dense": "head.dense.weight",
    "head_bias": "head.dense.bias",
    "head_out": "head.out.weight",
    "head_out_bias": "head.out.bias",
}


@dataclass(frozen=True)
class OnnxWeights:
    """BERT tensors by their usual names, float32, and the shape facts that tensors don't tell."""

    tensors: dict[str, Floats]
    head: dict[str, Floats]  # a ranker's: head.dense and head.out, weight and bias; else empty
    heads: int
    eps: float
    int8: bool  # whether the layers' weights were, with a scale per token beside them


def read_onnx_bert(path: Path) -> OnnxWeights:
    """The weights in `path`. Raises TrainingError when the graph is not one that this project writes for BERT."""
    try:
        graph = onnx.load(str(path)).graph
        return _read(graph)
    except (OSError, KeyError, StopIteration, ValueError) as error:
        raise TrainingError(
            f"cannot read weights back from {path}: not the graph of a BERT encoder; give its float32 bundle or folder"
        ) from error


def _read(graph: onnx.GraphProto) -> OnnxWeights:
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    attention = next(node for node in graph.node if node.op_type in _ATTENTION)
    norm = next(node for node in graph.node if node.op_type == "LayerNormalization")
    tensors = _embeddings(stored)
    layers = {int(found.group(1)) for node in graph.node for name in node.output if (found := _LAYER.fullmatch(name))}
    for layer in sorted(layers):
        tensors |= _layer(stored, layer)
    head = {
        name: stored[key].T if name.endswith("weight") else stored[key] for key, name in _HEAD.items() if key in stored
    }
    return OnnxWeights(
        {name: np.array(values, dtype=np.float32, order="C") for name, values in tensors.items()},
        {name: np.array(values, dtype=np.float32, order="C") for name, values in head.items()},
        int(_attribute(attention, "num_heads").i),
        float(_attribute(norm, "epsilon").f),
        any(name.endswith("_attended_qkv_int8") for name in stored),
    )


def _embeddings(stored: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    words = stored["words"] if "words" in stored else stored["words_int8"].astype(np.float32) * stored["words_scale"]
    # An embedder's graph holds the one row that it uses; a ranker made from it needs one for the product as well.
    types = stored["types"] if "types" in stored else np.stack([stored["type_rows"]] * 2)
    return {
        "embeddings.word_embeddings.weight": words,
        "embeddings.position_embeddings.weight": stored["positions"],
        "embeddings.token_type_embeddings.weight": types,
        "embeddings.LayerNorm.weight": stored["embedded_gain"],
        "embeddings.LayerNorm.bias": stored["embedded_shift"],
    }


def _layer(stored: dict[str, NDArray[Any]], layer: int) -> dict[str, NDArray[Any]]:
    prefix, name = f"encoder.layer.{layer}.", f"layer{layer}_"
    joined = stored[name + "qkv"] if name + "qkv" in stored else _dequantised(stored, name + "attended_qkv")
    tensors = {}
    for part, weight, bias in zip(
        ("query", "key", "value"), np.split(joined, 3, axis=1), np.split(stored[name + "qkv_bias"], 3), strict=True
    ):
        tensors[f"{prefix}attention.self.{part}.weight"] = weight.T
        tensors[f"{prefix}attention.self.{part}.bias"] = bias
    biases = {"mixed": "attention_out_bias", "wide": "wide_bias", "narrow": "out_bias"}
    for output, dense in _DENSE.items():
        plain = stored.get(f"{name}{output}_weight")
        tensors[f"{prefix}{dense}.weight"] = (_dequantised(stored, name + output) if plain is None else plain).T
        tensors[f"{prefix}{dense}.bias"] = stored[name + biases[output]]
    for output, module in _NORMS.items():
        tensors[f"{prefix}{module}.LayerNorm.weight"] = stored[f"{name}{output}_gain"]
        tensors[f"{prefix}{module}.LayerNorm.bias"] = stored[f"{name}{output}_shift"]
    return tensors


def _dequantised(stored: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    values: NDArray[Any] = stored[name + "_int8"].astype(np.float32) * stored[name + "_scale"]
    return values


def _attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    return next(attribute for attribute in node.attribute if attribute.name == name)
