"""What a recommender learned of products, as arrays and as the retriever's files of a recommender bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrine.errors import FailedPrecondition
from vitrine.ports import Relation
from vitrine.recommender_bundle import BIAS_FILE, NEIGHBOURS_FILE, PRODUCTS_FILE, PROJECTION_FILE, RecommenderBundle
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
    """Writes the retriever's files into `folder`."""
    import pyarrow as pa
    from pyarrow import parquet

    np.save(folder / PROJECTION_FILE, learned.projection.astype(np.float32), allow_pickle=False)
    np.save(folder / BIAS_FILE, learned.bias.astype(np.float32), allow_pickle=False)
    products = {"product_id": pa.array(learned.ids, pa.string()), "trained_events": pa.array(learned.trained_events)}
    for name, rows in (("residual", learned.residuals), ("als", learned.factors)):
        numbers = pa.array(np.ascontiguousarray(rows, np.float16).ravel(), pa.float16())
        if rows.shape[1]:
            products[name] = pa.FixedSizeListArray.from_arrays(numbers, rows.shape[1])
    parquet.write_table(pa.table(products), folder / PRODUCTS_FILE, compression="zstd")
    tables = [_neighbour_table(learned.ids, relation, one) for relation, one in learned.neighbours.items()]
    empty = _neighbour_table((), Relation.ITEM_ITEM, Neighbours(np.zeros(1, np.int64), np.zeros(0, np.int64), _NONE))
    parquet.write_table(pa.concat_tables([empty, *tables]), folder / NEIGHBOURS_FILE, compression="zstd")


def read_learned_products(bundle: RecommenderBundle) -> LearnedProducts:
    """Reads the retriever's files. Raises FailedPrecondition naming file and column where one is not as needed."""
    # A large library: of the services only the retriever reads tables, and only where a recommender is set.
    import pyarrow as pa

    manifest = bundle.manifest
    projection = _array(bundle.path(PROJECTION_FILE), (manifest.text_dim, manifest.dim))
    bias = _array(bundle.path(BIAS_FILE), (manifest.dim,))
    path = bundle.path(PRODUCTS_FILE)
    table = _table(path, {"product_id": pa.string(), "trained_events": pa.int64(), "residual": None})
    ids = tuple(table["product_id"].to_pylist())
    if not ids:
        raise FailedPrecondition(f"{path} has no rows; write the bundle again")
    if len(set(ids)) < len(ids):
        raise FailedPrecondition(f"{path}: product_id holds an id twice; write the bundle again")
    trained_events = table["trained_events"].to_numpy()
    if trained_events.min() < 0:
        raise FailedPrecondition(f"{path}: trained_events holds a number below 0; write the bundle again")
    factors = _rows(path, table, "als", None) if "als" in table.column_names else np.zeros((len(ids), 0), np.float16)
    return LearnedProducts(
        projection=projection,
        bias=bias,
        ids=ids,
        trained_events=trained_events,
        residuals=_rows(path, table, "residual", manifest.dim),
        factors=factors.astype(np.float32),
        neighbours=_neighbours(bundle.path(NEIGHBOURS_FILE), ids),
    )


_NONE = np.zeros(0, np.float32)


def _array(path: Path, shape: tuple[int, ...]) -> FloatArray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FailedPrecondition(f"{path} cannot be read: {error}; write the bundle again") from error
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
        raise FailedPrecondition(
            f"{path} has shape {array.shape} of {array.dtype}; finite float32 of shape {shape} is needed"
        )
    return np.asarray(array, np.float32)


def _table(path: Path, needed: Mapping[str, Any]) -> Any:
    """The table with columns of the types `needed`; None: whatever type."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise FailedPrecondition(f"{path} cannot be read: {error}; write the bundle again") from error
    if not set(needed) <= set(table.column_names):
        raise FailedPrecondition(f"{path} has the columns {table.column_names}; {sorted(needed)} are needed")
    for name, kind in needed.items():
        if kind is not None and table.schema.field(name).type != kind:
            raise FailedPrecondition(f"{path}: {name} is {table.schema.field(name).type}; {kind} is needed")
    for name in table.column_names:
        if table[name].null_count:
            raise FailedPrecondition(
                f"{path}: {name} is empty in {table[name].null_count} rows; write the bundle again"
            )
    return table.combine_chunks()


def _rows(path: Path, table: Any, name: str, width: int | None) -> NDArray[np.float16]:
    import pyarrow as pa

    kind = table.schema.field(name).type
    if not pa.types.is_fixed_size_list(kind) or kind.value_type != pa.float16() or width not in (None, kind.list_size):
        wanted = "any width" if width is None else f"{width} numbers"
        raise FailedPrecondition(f"{path}: {name} is {kind}; lists of {wanted} in half precision are needed")
    numbers = pa.concat_arrays([chunk.flatten() for chunk in table[name].chunks] or [pa.array([], pa.float16())])
    rows: NDArray[np.float16] = numbers.to_numpy(zero_copy_only=False).reshape(-1, kind.list_size)
    if not np.isfinite(rows).all():
        raise FailedPrecondition(f"{path}: {name} holds NaN or infinity; write the bundle again")
    return rows


def _neighbours(path: Path, ids: tuple[str, ...]) -> dict[Relation, Neighbours]:
    import pyarrow as pa
    from pyarrow import compute

    strings, numbers = pa.list_(pa.string()), pa.list_(pa.float32())
    needed = {"product_id": pa.string(), "relation": pa.string(), "neighbour_ids": strings, "weights": numbers}
    table = _table(path, needed)
    known = pa.array(ids, pa.string())
    found = {}
    if odd := set(compute.unique(table["relation"]).to_pylist()) - {one.value for one in NEIGHBOUR_RELATIONS}:
        raise FailedPrecondition(f"{path}: relation holds {sorted(odd)}; item_item and co_purchase are known")
    for relation in NEIGHBOUR_RELATIONS:
        rows = table.filter(compute.equal(table["relation"], relation.value))
        # An id that is not known is null, which makes these arrays float64 with NaN, and else they are int32.
        owners = compute.index_in(rows["product_id"], known).to_numpy()
        counts = compute.list_value_length(rows["neighbour_ids"]).to_numpy().astype(np.int64)
        weights = compute.list_flatten(rows["weights"]).to_numpy().astype(np.float32)
        near = compute.index_in(compute.list_flatten(rows["neighbour_ids"]), known).to_numpy()
        if (counts != compute.list_value_length(rows["weights"]).to_numpy()).any() or (counts > MAX_NEIGHBOURS).any():
            raise FailedPrecondition(
                f"{path}: a product has over {MAX_NEIGHBOURS} neighbours, or not a weight for each"
            )
        if np.isnan(owners).any() or np.isnan(near).any():
            raise FailedPrecondition(f"{path}: {relation.value} names a product that is not in {PRODUCTS_FILE}")
        if (np.diff(owners) <= 0).any():
            raise FailedPrecondition(f"{path}: {relation.value} is not in the order of {PRODUCTS_FILE}, each id once")
        if not (np.isfinite(weights) & (weights > 0)).all():
            raise FailedPrecondition(f"{path}: weights of {relation.value} are not all finite and above 0")
        starts = np.zeros(len(ids) + 1, np.int64)
        starts[owners.astype(np.int64) + 1] = counts
        found[relation] = Neighbours(np.cumsum(starts), near.astype(np.int32), weights)
    return found


def _neighbour_table(ids: tuple[str, ...], relation: Relation, neighbours: Neighbours) -> Any:
    import pyarrow as pa

    counts = np.diff(neighbours.starts)
    owners = np.flatnonzero(counts)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts[owners])]), pa.int32())
    names = pa.array([ids[product] for product in neighbours.products.tolist()], pa.string())
    return pa.table(
        {
            "product_id": pa.array([ids[owner] for owner in owners.tolist()], pa.string()),
            "relation": pa.array([relation.value] * len(owners), pa.string()),
            "neighbour_ids": pa.ListArray.from_arrays(offsets, names),
            "weights": pa.ListArray.from_arrays(offsets, pa.array(neighbours.weights, pa.float32())),
        }
    )
