"""Writes the fusion model as ONNX: `features` (n, F) to `contributions` (n, G) and their sum, `score` (n,)."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from gateway.recommendation.features import FEATURES, GROUPS
from training.e5_weights import Floats
from training.recommendation.fusion_model import WideAndDeep

_OPSET = 17
_IR = 8


def export_fusion(model: WideAndDeep, path: Path) -> None:
    """The graph of `WideAndDeep.forward`, its scales and masks folded into the weights."""
    first, last = model.gate[0], model.gate[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    scale = _values(model.scale)[:, None]
    read = np.zeros((len(FEATURES), first.out_features), np.float32)
    read[model.known] = _values(first.weight).T
    bias = _values(model.deep.bias)
    constants: dict[str, NDArray[Any]] = {
        "wide": scale * _values(model.prior + model.wide)[:, None] * _values(model.belongs),
        "deep": scale * _values(model.deep.weight).T * _values(model.deep_mask),
        "deep_bias": bias,
        "deep_at_nothing": np.maximum(bias, 0.0),
        "deep_out": _values(model.deep_out) * _values(model.deep_belongs),
        "gate_in": scale * read,
        "gate_in_bias": _values(first.bias),
        "gate_out": _values(last.weight).T,
        "gate_out_bias": _values(last.bias),
        "two": np.array(2.0, np.float32),
        "groups_axis": np.array([1], np.int64),
    }
    nodes = [
        ("MatMul", ("features", "wide"), "wide_parts"),
        ("MatMul", ("features", "deep"), "deep_in"),
        ("Add", ("deep_in", "deep_bias"), "deep_shifted"),
        ("Relu", ("deep_shifted",), "deep_hidden"),
        ("Sub", ("deep_hidden", "deep_at_nothing"), "deep_known"),
        ("MatMul", ("deep_known", "deep_out"), "deep_parts"),
        ("Add", ("wide_parts", "deep_parts"), "parts"),
        ("MatMul", ("features", "gate_in"), "gate_hidden_in"),
        ("Add", ("gate_hidden_in", "gate_in_bias"), "gate_shifted"),
        ("Relu", ("gate_shifted",), "gate_hidden"),
        ("MatMul", ("gate_hidden", "gate_out"), "gate_logits_in"),
        ("Add", ("gate_logits_in", "gate_out_bias"), "gate_logits"),
        ("Sigmoid", ("gate_logits",), "gate_half"),
        ("Mul", ("gate_half", "two"), "gates"),
        ("Mul", ("gates", "parts"), "contributions"),
    ]
    graph = helper.make_graph(
        [
            *(helper.make_node(kind, list(inputs), [output], name=f"{output}_node") for kind, inputs, output in nodes),
            helper.make_node("ReduceSum", ["contributions", "groups_axis"], ["score"], name="score_node", keepdims=0),
        ],
        "fusion",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["candidates", len(FEATURES)])],
        [
            helper.make_tensor_value_info("contributions", TensorProto.FLOAT, ["candidates", len(GROUPS)]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["candidates"]),
        ],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, str(path))


def _values(tensor: Any) -> Floats:
    found: Floats = tensor.detach().numpy()
    return found
