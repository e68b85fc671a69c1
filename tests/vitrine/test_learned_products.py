"""What a recommender learned of products: written and read back, and refused by name where a file is not right.

Every bundle here has right digests: what is wrong was written so.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.recommender_bundle import learned_products, write_recommender_bundle
from vitrine.errors import FailedPrecondition
from vitrine.learned_products import LearnedProducts, Neighbours, read_learned_products
from vitrine.ports import Relation
from vitrine.recommender_bundle import (
    NEIGHBOURS_FILE,
    PRODUCTS_FILE,
    PROJECTION_FILE,
    RecommenderBundle,
    write_recommender,
)

IDS = [f"p{number}" for number in range(12)]
TEXT_DIM, DIM = 6, 4


@pytest.fixture
def learned() -> LearnedProducts:
    return learned_products(IDS, TEXT_DIM, DIM, factors=3)


@pytest.fixture
def bundle(learned: LearnedProducts, tmp_path: Path) -> RecommenderBundle:
    return write_recommender_bundle(tmp_path, learned, embedder_digest="sha256:1")


def refused(bundle: RecommenderBundle, match: str) -> None:
    with pytest.raises(FailedPrecondition, match=match):
        read_learned_products(write_recommender(bundle.folder, bundle.manifest))


def change(bundle: RecommenderBundle, file: str, changed: Callable[[Any], Any]) -> None:
    path = bundle.folder / file
    parquet.write_table(changed(parquet.read_table(path)), path)


def with_column(table: Any, name: str, values: Any) -> Any:
    return table.set_column(table.column_names.index(name), name, values)


def test_what_was_written_is_read_back(learned: LearnedProducts, bundle: RecommenderBundle) -> None:
    read = read_learned_products(bundle)
    assert read.ids == learned.ids
    for name in ("projection", "bias", "trained_events", "residuals"):
        np.testing.assert_array_equal(getattr(read, name), getattr(learned, name), strict=True)
    np.testing.assert_array_equal(read.factors, learned.factors.astype(np.float16).astype(np.float32), strict=True)
    for relation, neighbours in learned.neighbours.items():
        for name in ("starts", "products", "weights"):
            np.testing.assert_array_equal(getattr(read.neighbours[relation], name), getattr(neighbours, name))


def test_products_may_have_no_neighbours(learned: LearnedProducts, tmp_path: Path) -> None:
    given = Neighbours(np.array([0, 3, *[3] * 10, 4]), np.array([5, 7, 2, 0]), np.array([1, 3, 3, 0.5], np.float32))
    changed = replace(learned, neighbours={Relation.CO_PURCHASE: given})
    read = read_learned_products(write_recommender_bundle(tmp_path, changed, embedder_digest="sha256:1"))
    both = read.neighbours[Relation.CO_PURCHASE]
    assert both.products.tolist() == [5, 7, 2, 0]
    assert both.weights.tolist() == [1, 3, 3, 0.5]
    assert both.starts.tolist() == [0, 3, *[3] * 10, 4]
    assert read.neighbours[Relation.ITEM_ITEM].starts.tolist() == [0] * 13


def test_a_table_that_was_cut(bundle: RecommenderBundle) -> None:
    for file in (PRODUCTS_FILE, NEIGHBOURS_FILE):
        whole = (bundle.folder / file).read_bytes()
        (bundle.folder / file).write_bytes(whole[:-20])
        refused(bundle, f"{file} cannot be read")
        (bundle.folder / file).write_bytes(whole)


def test_an_array_that_was_cut_or_is_no_array(bundle: RecommenderBundle) -> None:
    path = bundle.folder / PROJECTION_FILE
    whole = path.read_bytes()
    for content in (whole[:-8], whole[:4], b"", b"text"):
        path.write_bytes(content)
        refused(bundle, r"projection\.npy cannot be read")


def test_pickles_are_not_read(bundle: RecommenderBundle) -> None:
    np.save(bundle.folder / PROJECTION_FILE, np.array([{}], dtype=object), allow_pickle=True)
    refused(bundle, r"projection\.npy cannot be read")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((TEXT_DIM, DIM + 1), np.float32),
        np.zeros((TEXT_DIM, DIM)),
        np.full((TEXT_DIM, DIM), np.nan, np.float32),
    ],
)
def test_a_projection_of_another_width_or_kind(bundle: RecommenderBundle, array: Any) -> None:
    np.save(bundle.folder / PROJECTION_FILE, array)
    refused(bundle, r"projection\.npy has shape .*; finite float32 of shape \(6, 4\) is needed")


def halves(rows: Any) -> Any:
    array = np.asarray(rows, np.float16)
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])


@pytest.mark.parametrize(
    ("name", "values", "match"),
    [
        ("residual", halves(np.full((12, DIM), np.nan)), "residual holds NaN or infinity"),
        ("residual", halves(np.zeros((12, DIM + 1))), "residual is .*lists of 4 numbers in half precision are needed"),
        ("residual", pa.array([[0.0] * DIM] * 12), "residual is .*lists of 4 numbers in half precision are needed"),
        ("als", halves(np.full((12, 3), np.inf)), "als holds NaN or infinity"),
        ("als", pa.array([1.0] * 12), "als is double; lists of any width"),
        ("product_id", pa.array(["p0"] * 12), "product_id holds an id twice"),
        ("product_id", pa.array([None, *IDS[1:]]), "product_id is empty in 1 rows"),
        ("product_id", pa.array(range(12)), "product_id is int64; string is needed"),
        ("trained_events", pa.array([-1] * 12), "trained_events holds a number below 0"),
        ("trained_events", pa.array([0.5] * 12), "trained_events is double; int64 is needed"),
    ],
)
def test_a_wrong_column_of_products(bundle: RecommenderBundle, name: str, values: Any, match: str) -> None:
    change(bundle, PRODUCTS_FILE, lambda table: with_column(table, name, values))
    refused(bundle, match)


def test_a_column_that_is_not_there(bundle: RecommenderBundle) -> None:
    change(bundle, PRODUCTS_FILE, lambda table: table.drop_columns(["residual"]))
    refused(bundle, r"has the columns .*; \['product_id', 'residual', 'trained_events'\] are needed")


def test_no_products_at_all(bundle: RecommenderBundle) -> None:
    change(bundle, PRODUCTS_FILE, lambda table: table.slice(0, 0))
    change(bundle, NEIGHBOURS_FILE, lambda table: table.slice(0, 0))
    refused(bundle, r"products\.parquet has no rows")


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (("p0", "item_item", ["gone"], [1.0]), "item_item names a product that is not in"),
        (("gone", "item_item", ["p1"], [1.0]), "item_item names a product that is not in"),
        (("p0", "item_item", ["p1"], [0.0]), "weights of item_item are not all finite and above 0"),
        (("p0", "co_purchase", ["p1"], [float("nan")]), "weights of co_purchase are not all finite"),
        (("p0", "co_purchase", ["p1", "p2"], [1.0]), "not a weight for each"),
        (("p0", "co_purchase", ["p1"] * 101, [1.0] * 101), "over 100 neighbours"),
        (("p0", "co_purchase", [None], [1.0]), "co_purchase names a product that is not in"),
        (("p0", "liked", ["p1"], [1.0]), r"relation holds \['liked'\]"),
    ],
)
def test_wrong_neighbours(bundle: RecommenderBundle, row: tuple[Any, ...], match: str) -> None:
    names = ("product_id", "relation", "neighbour_ids", "weights")

    def changed(table: Any) -> Any:
        return pa.table(
            {name: pa.array([value], table.schema.field(name).type) for name, value in zip(names, row, strict=True)}
        )

    change(bundle, NEIGHBOURS_FILE, changed)
    refused(bundle, match)


def test_a_product_that_has_neighbours_twice(bundle: RecommenderBundle) -> None:
    change(bundle, NEIGHBOURS_FILE, lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    refused(bundle, r"item_item is not in the order of products\.parquet, each id once")
