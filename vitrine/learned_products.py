"""What a recommender learned of products, as arrays and as the retriever's files of a recommender bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrine.errors import FailedPrecondition
from vitrine.ports import Relation
from vitrine.recommender_bundle import RecommenderBundle
from vitrine.vectors import FloatArray

MAX_NEIGHBOURS = 100
NEIGHBOUR_RELATIONS = (Relation.ITEM_ITEM, Relation.CO_PURCHASE)

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Weighted neighbours of learned products: those of product p are `products[starts[p]:starts[p + 1]]`."""

    starts: IntArray  # (products + 1,)
    products: NDArray[np.integer[Any]]  # (n,) numbers of learned products
    weights: FloatArray  # (n,) > 0


@dataclass(frozen=True, slots=True, eq=False)
class LearnedProducts:
    """What a recommender knows of products: p of them by number, and how to place any other by its text.

    A product's behaviour vector is its text vector @ projection + bias + residual, normalised; the residual of a
    product that is not among the p is zero. A factor that is all zeros knows nothing of its product.
    """

    projection: FloatArray  # (text_dim, d)
    bias: FloatArray  # (d,)
    ids: tuple[str, ...]
    trained_events: IntArray  # (p,)
    residuals: NDArray[np.float16]  # (p, d)
    factors: FloatArray  # (p, f), of alternating least squares; f is 0 without it
    neighbours: Mapping[Relation, Neighbours]


def write_learned_products(folder: Path, learned: LearnedProducts) -> None:
    """Writes the retriever's files into `folder`: arrays, `factors` in half precision, no neighbours where none are."""
    arrays: dict[str, NDArray[Any]] = {
        "projection": learned.projection.astype(np.float32),
        "projection_bias": learned.bias.astype(np.float32),
        "product_ids": np.array([product_id.encode() for product_id in learned.ids], np.bytes_),
        "trained_events": learned.trained_events.astype(np.int64),
        "residuals": learned.residuals.astype(np.float16),
        "factors": learned.factors.astype(np.float16),
    }
    none = Neighbours(np.zeros(len(learned.ids) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    for relation in NEIGHBOUR_RELATIONS:
        neighbours = learned.neighbours.get(relation, none)
        arrays[f"{relation.value}_starts"] = neighbours.starts.astype(np.int64)
        arrays[f"{relation.value}_products"] = neighbours.products.astype(np.int32)
        arrays[f"{relation.value}_weights"] = neighbours.weights.astype(np.float32)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def read_learned_products(bundle: RecommenderBundle) -> LearnedProducts:
    """Reads the retriever's files. Raises FailedPrecondition naming the file that is not as needed, and why."""
    manifest = bundle.manifest
    ids = _ids(bundle)
    events = _array(bundle, "trained_events", np.int64, (len(ids),))
    _require(bundle, "trained_events", not (events < 0).any(), "holds a number below 0")
    return LearnedProducts(
        projection=_array(bundle, "projection", np.float32, (manifest.text_dim, manifest.dim)),
        bias=_array(bundle, "projection_bias", np.float32, (manifest.dim,)),
        ids=ids,
        trained_events=events,
        residuals=_array(bundle, "residuals", np.float16, (len(ids), manifest.dim)),
        factors=_array(bundle, "factors", np.float16, (len(ids), None)).astype(np.float32),
        neighbours={relation: _neighbours(bundle, relation, len(ids)) for relation in NEIGHBOUR_RELATIONS},
    )


def _ids(bundle: RecommenderBundle) -> tuple[str, ...]:
    encoded = _loaded(bundle, "product_ids")
    right = encoded.ndim == 1 and encoded.dtype.kind == "S" and len(encoded) > 0
    _require(
        bundle, "product_ids", right, f"has shape {encoded.shape} of {encoded.dtype}; give ids as bytes, 1 or more"
    )
    try:
        ids = tuple(product_id.decode() for product_id in encoded.tolist())
    except UnicodeDecodeError as error:
        raise FailedPrecondition(f"{bundle.path('product_ids.npy')} is not UTF-8: {error}") from error
    _require(bundle, "product_ids", len(set(ids)) == len(ids), "holds an id twice")
    return ids


def _neighbours(bundle: RecommenderBundle, relation: Relation, count: int) -> Neighbours:
    name = relation.value
    starts = _array(bundle, f"{name}_starts", np.int64, (count + 1,))
    counts = np.diff(starts)
    right = starts[0] == 0 and ((counts >= 0) & (counts <= MAX_NEIGHBOURS)).all()
    _require(bundle, f"{name}_starts", right, f"does not begin at 0 and go up by 0 to {MAX_NEIGHBOURS}")
    products = _array(bundle, f"{name}_products", np.int32, (int(starts[-1]),))
    right = ((products >= 0) & (products < count)).all()
    _require(bundle, f"{name}_products", right, f"holds a number that is not one of the {count} products")
    weights = _array(bundle, f"{name}_weights", np.float32, (int(starts[-1]),))
    _require(bundle, f"{name}_weights", (weights > 0).all(), "holds a weight that is not above 0")
    return Neighbours(starts, products, weights)


def _array(bundle: RecommenderBundle, name: str, dtype: type[np.generic], shape: tuple[int | None, ...]) -> Any:
    """The array, finite, of this type and shape; None: of any length."""
    array = _loaded(bundle, name)
    fits = array.ndim == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    wanted = f"{np.dtype(dtype)} of shape ({', '.join('any' if one is None else str(one) for one in shape)})"
    _require(
        bundle, name, fits and array.dtype == dtype, f"is {array.dtype} of shape {array.shape}; needed is {wanted}"
    )
    _require(bundle, name, bool(np.isfinite(array).all()), "holds NaN or infinity")
    return array


def _loaded(bundle: RecommenderBundle, name: str) -> NDArray[Any]:
    path = bundle.path(f"{name}.npy")
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise FailedPrecondition(f"{path} cannot be read: {error}; write the bundle again") from error
    return array


def _require(bundle: RecommenderBundle, name: str, right: Any, fault: str) -> None:
    if not right:
        raise FailedPrecondition(f"{bundle.path(f'{name}.npy')} {fault}; write the bundle again")
