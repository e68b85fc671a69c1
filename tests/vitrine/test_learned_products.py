"""What a recommender learned of products: written and read back, and refused by name where a file is not right.

Every bundle here has right digests: what is wrong was written so.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.recommender_bundle import learned_products, write_recommender_bundle
from vitrine.errors import FailedPrecondition
from vitrine.learned_products import NEIGHBOUR_RELATIONS, LearnedProducts, Neighbours, read_learned_products
from vitrine.ports import Relation
from vitrine.recommender_bundle import RecommenderBundle, write_recommender

IDS = [f"p{number}" for number in range(11)] + ["手表"]
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


def test_what_was_written_is_read_back(learned: LearnedProducts, bundle: RecommenderBundle) -> None:
    read = read_learned_products(bundle)
    assert read.ids == learned.ids
    for name in ("projection", "bias", "trained_events", "residuals"):
        np.testing.assert_array_equal(getattr(read, name), getattr(learned, name), strict=True)
    np.testing.assert_array_equal(read.factors, learned.factors.astype(np.float16).astype(np.float32), strict=True)
    for relation, neighbours in learned.neighbours.items():
        for name in ("starts", "products", "weights"):
            np.testing.assert_array_equal(getattr(read.neighbours[relation], name), getattr(neighbours, name))


def test_the_same_products_have_the_same_digest(learned: LearnedProducts, bundle: RecommenderBundle) -> None:
    again = write_recommender_bundle(bundle.folder, learned, embedder_digest="sha256:1")
    assert again.manifest.digest == bundle.manifest.digest


def test_products_may_have_no_neighbours_and_no_factors(learned: LearnedProducts, tmp_path: Path) -> None:
    given = Neighbours(np.array([0, 3, *[3] * 10, 4]), np.array([5, 7, 2, 0]), np.array([1, 3, 3, 0.5], np.float32))
    changed = replace(learned, neighbours={Relation.CO_PURCHASE: given}, factors=np.zeros((len(IDS), 0), np.float32))
    read = read_learned_products(write_recommender_bundle(tmp_path, changed, embedder_digest="sha256:1"))
    both = read.neighbours[Relation.CO_PURCHASE]
    assert both.products.tolist() == [5, 7, 2, 0]
    assert both.starts.tolist() == given.starts.tolist()
    none = read.neighbours[Relation.ITEM_ITEM]
    assert (none.starts.tolist(), len(none.products), len(none.weights)) == ([0] * 13, 0, 0)
    assert read.factors.shape == (12, 0)


@pytest.mark.parametrize("name", ["projection", "product_ids", "residuals", "item_item_products"])
def test_a_file_that_was_cut_or_is_no_array(bundle: RecommenderBundle, name: str) -> None:
    path = bundle.folder / f"{name}.npy"
    whole = path.read_bytes()
    for content in (whole[:-4], whole[:4], b"", b"text"):
        path.write_bytes(content)
        refused(bundle, rf"{name}\.npy cannot be read")


def test_pickles_are_not_read(bundle: RecommenderBundle) -> None:
    np.save(bundle.folder / "residuals.npy", np.array([{}], dtype=object), allow_pickle=True)
    refused(bundle, r"residuals\.npy cannot be read")


def test_a_file_that_is_not_there(bundle: RecommenderBundle) -> None:
    (bundle.folder / "factors.npy").unlink()
    refused(bundle, r"has no factors\.npy; it holds")


NARROW = np.zeros((12, DIM - 1), np.float16)
STARTS = np.arange(0, 26, 2)


@pytest.mark.parametrize(
    ("name", "array", "fault"),
    [
        ("projection", np.zeros((TEXT_DIM, DIM + 1), np.float32), r"needed is float32 of shape \(6, 4\)"),
        ("projection", np.zeros((TEXT_DIM, DIM)), r"is float64 of shape \(6, 4\); needed is float32"),
        ("projection", np.full((TEXT_DIM, DIM), np.nan, np.float32), "holds NaN or infinity"),
        ("projection_bias", np.zeros((1, DIM), np.float32), r"needed is float32 of shape \(4\)"),
        ("residuals", NARROW, r"is float16 of shape \(12, 3\); needed is float16 of shape \(12, 4\)"),
        ("residuals", np.full((12, DIM), np.nan, np.float16), "holds NaN or infinity"),
        ("factors", np.full((12, 3), np.inf, np.float16), "holds NaN or infinity"),
        ("factors", np.zeros((11, 3), np.float16), r"needed is float16 of shape \(12, any\)"),
        ("trained_events", np.full(12, -1), "holds a number below 0"),
        ("trained_events", np.zeros(12), r"needed is int64 of shape \(12\)"),
        ("product_ids", np.array([b"p0"] * 12), "holds an id twice"),
        ("product_ids", np.array([f"p{number}" for number in range(12)]), "give ids as bytes, 1 or more"),
        ("product_ids", np.zeros(0, "S1"), "give ids as bytes, 1 or more"),
        ("product_ids", np.array([b"\xff", *(b"%d" % number for number in range(11))]), "is not UTF-8"),
        ("item_item_starts", STARTS[:-1], r"needed is int64 of shape \(13\)"),
        ("item_item_starts", STARTS[::-1].copy(), "does not begin at 0 and go up by 0 to 100"),
        ("item_item_starts", np.array([0, *[202] * 12]), "does not begin at 0 and go up by 0 to 100"),
        ("item_item_products", np.full(24, 12, np.int32), "is not one of the 12 products"),
        ("item_item_products", np.full(24, -1, np.int32), "is not one of the 12 products"),
        ("item_item_products", np.zeros(23, np.int32), r"needed is int32 of shape \(24\)"),
        ("co_purchase_weights", np.zeros(12, np.float32), "holds a weight that is not above 0"),
        ("co_purchase_weights", np.full(12, np.nan, np.float32), "holds NaN or infinity"),
    ],
)
def test_a_wrong_array_is_named(bundle: RecommenderBundle, name: str, array: Any, fault: str) -> None:
    np.save(bundle.folder / f"{name}.npy", array)
    refused(bundle, rf"{name}\.npy .*{fault}")


def test_every_relation_between_products_is_kept(bundle: RecommenderBundle) -> None:
    assert set(read_learned_products(bundle).neighbours) == set(NEIGHBOUR_RELATIONS)
