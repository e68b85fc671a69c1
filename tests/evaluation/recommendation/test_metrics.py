import numpy as np
import pytest

from evaluation.recommendation.metrics import coverage, hits, ndcg, overlap, recall


def test_recall_and_ndcg_are_those_computed_by_hand() -> None:
    lists = np.array([[3, 1, 2], [5, 4, -1], [0, 7, 8]])
    relevant = [np.array([2]), np.array([5, 4, 9]), np.array([6])]
    found = hits(lists, relevant)

    np.testing.assert_allclose(recall(found, relevant, 3), [1, 2 / 3, 0])
    np.testing.assert_allclose(recall(found, relevant, 2), [0, 2 / 3, 0])
    best = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    np.testing.assert_allclose(ndcg(found, relevant, 3), [1 / np.log2(4), (1 + 1 / np.log2(3)) / best, 0])
    # Two places hold at most two of three relevant products.
    np.testing.assert_allclose(ndcg(found, relevant, 2), [0, 1, 0])


def test_a_place_without_a_product_is_no_hit_and_covers_nothing() -> None:
    lists = np.array([[1, -1], [-1, -1]])

    assert not hits(lists, [np.array([0]), np.array([0])]).any()
    assert coverage(lists, 4) == 0.25


def test_overlap_is_one_for_equal_lists_and_the_share_of_what_is_shared_for_others() -> None:
    assert overlap(np.array([[1, 2, 3], [3, 1, 2]])) == 1.0
    assert overlap(np.array([[1, 2], [3, 4]])) == 0.0
    # Any two of these share one product of three.
    assert overlap(np.array([[1, 2], [1, 3], [1, 4]])) == pytest.approx(1 / 3)
