"""A small recommender bundle with real files, written on the spot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vitrine.learned_products import LearnedProducts, Neighbours, write_learned_products
from vitrine.ports import Relation
from vitrine.recommender_bundle import (
    FUSION_FILE,
    HISTORY_FILE,
    FusionManifest,
    RecommenderBundle,
    RecommenderManifest,
    write_recommender,
)
from vitrine.vectors import FloatArray, l2_normalized

OPSET = 17


def learned_products(ids: Sequence[str], text_dim: int, dim: int = 8, factors: int = 4) -> LearnedProducts:
    """Made by chance, but for the neighbours: each product's are the two that follow it, weights 2 and 1 (bought
    together: the third after it, weight 3).
    """
    random = np.random.default_rng(5)
    count = len(ids)
    numbers = np.arange(count)
    return LearnedProducts(
        projection=random.normal(size=(text_dim, dim)).astype(np.float32),
        bias=random.normal(scale=0.1, size=dim).astype(np.float32),
        ids=tuple(ids),
        trained_events=numbers + 1,
        residuals=random.normal(scale=0.2, size=(count, dim)).astype(np.float16),
        factors=random.normal(size=(count, factors)).astype(np.float32),
        neighbours={
            Relation.ITEM_ITEM: Neighbours(
                2 * np.arange(count + 1),
                np.stack([(numbers + 1) % count, (numbers + 2) % count], axis=1).ravel(),
                np.tile(np.array([2, 1], np.float32), count),
            ),
            Relation.CO_PURCHASE: Neighbours(
                np.arange(count + 1), (numbers + 3) % count, np.full(count, 3, np.float32)
            ),
        },
    )


def write_recommender_bundle(
    folder: Path,
    learned: LearnedProducts,
    *,
    embedder_digest: str,
    fusion: FusionManifest | None = None,
    **changes: Any,
) -> RecommenderBundle:
    """Writes all files into `folder`; keywords change the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    dim = learned.projection.shape[1]
    write_learned_products(folder, learned)
    write_history_onnx(folder / HISTORY_FILE, dim)
    if fusion is not None:
        write_fusion_onnx(folder / FUSION_FILE, len(fusion.features), len(fusion.groups))
    items = np.eye(2, dim, dtype=np.float32)
    ages_s = np.array([60.0, 0.0])
    known = {
        "items": items.tolist(),
        "event_types": [4, 4],
        "ages_s": ages_s.tolist(),
        "vector": expected_history(items, ages_s).tolist(),
    }
    fields: dict[str, Any] = {
        "name": "tiny-recommender",
        "version": "1",
        "dim": dim,
        "licence": "Apache-2.0",
        "self_test": known,
        "text_dim": learned.projection.shape[0],
        "embedder_digest": embedder_digest,
        "max_history": 10,
        "als_regularization": 0.1,
        "als_alpha": 2.0,
        "fusion": fusion,
    }
    return write_recommender(folder, RecommenderManifest(**fields | changes))


def expected_history(items: NDArray[Any], ages_s: NDArray[Any]) -> FloatArray:
    """(d,) what `write_history_onnx`'s model makes of one history: an item counts 1 / (1 + its age)."""
    weights = 1.0 / (1.0 + np.asarray(ages_s, np.float64))
    vector: FloatArray = l2_normalized((weights @ np.asarray(items, np.float64))[None].astype(np.float32))[0]
    return vector


def write_history_onnx(path: Path, dim: int) -> None:
    """A history encoder without weights: the normalised sum of the items, the older the less."""
    nodes = [
        helper.make_node("Neg", ["ages"], ["young"]),
        helper.make_node("Exp", ["young"], ["weights"]),
        helper.make_node("Cast", ["event_types"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Sign", ["types"], ["there"]),
        helper.make_node("Mul", ["weights", "there"], ["counted"]),
        helper.make_node("Unsqueeze", ["counted", "last"], ["columns"]),
        helper.make_node("Mul", ["items", "columns"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "second"], ["sums"], keepdims=0),
        helper.make_node("LpNormalization", ["sums"], ["vectors"], axis=1, p=2),
    ]
    inputs = [
        helper.make_tensor_value_info("items", TensorProto.FLOAT, ["batch", "length", dim]),
        helper.make_tensor_value_info("event_types", TensorProto.INT64, ["batch", "length"]),
        helper.make_tensor_value_info("ages", TensorProto.FLOAT, ["batch", "length"]),
    ]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", dim])]
    constants = [
        numpy_helper.from_array(np.array([-1], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "second"),
    ]
    _write(path, nodes, inputs, outputs, constants)


def write_fusion_onnx(path: Path, features: int, groups: int) -> None:
    """A linear fusion: feature i adds itself to group i mod `groups`."""
    weights = np.zeros((features, groups), np.float32)
    weights[np.arange(features), np.arange(features) % groups] = 1.0
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["contributions"]),
        helper.make_node("ReduceSum", ["contributions", "second"], ["score"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", features])]
    outputs = [
        helper.make_tensor_value_info("contributions", TensorProto.FLOAT, ["n", groups]),
        helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([1], np.int64), "second"),
    ]
    _write(path, nodes, inputs, outputs, constants)


def _write(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> None:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
