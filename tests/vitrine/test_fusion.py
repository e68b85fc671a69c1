"""Fusion of two ranked lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vitrine.fusion import RRF_K, agreement, beginnings_of, best_first, convex_scores, reciprocal_rank_scores

ranks = st.lists(st.integers(0, 1_000), min_size=2, max_size=20)


@given(ranks, st.data())
def test_rrf_is_monotone(dense: list[int], data: st.DataObject) -> None:
    """neural-search#1703: fusion dropped a rank-1 vector hit and kept rank 95 (case 113)."""
    lexical = data.draw(st.lists(st.integers(0, 1_000), min_size=len(dense), max_size=len(dense)))
    which = data.draw(st.integers(0, len(dense) - 1))
    before = reciprocal_rank_scores(np.array(dense), np.array(lexical))
    better = list(dense)
    better[which] = max(1, dense[which] // 2) if dense[which] else 1_001
    after = reciprocal_rank_scores(np.array(better), np.array(lexical))
    assert after[which] >= before[which]


def test_rrf_keeps_the_first_of_one_list_before_rank_95() -> None:
    scores = reciprocal_rank_scores(np.array([1, 95, 2]), np.array([0, 0, 1]))
    assert best_first(scores, ["a", "b", "c"]).tolist() == [2, 0, 1]
    assert scores == pytest.approx([1 / (RRF_K + 1), 1 / (RRF_K + 95), 1 / (RRF_K + 2) + 1 / (RRF_K + 1)])


def test_convex_is_the_weighted_mean_of_the_cosine_and_the_scaled_bm25() -> None:
    cosines = np.array([0.9, 0.7, -0.2], np.float32)
    bm25 = np.array([0.0, 12.0, 6.0], np.float32)
    assert convex_scores(cosines, bm25, dense_weight=0.6) == pytest.approx([0.54, 0.82, 0.08], abs=1e-6)


def test_convex_scores_a_candidate_alike_whoever_stands_beside_it() -> None:
    alone = convex_scores(np.array([0.9, 0.5], np.float32), np.array([3.0, 1.0], np.float32), dense_weight=0.6)
    more = np.array([0.9, 0.5, -0.4], np.float32)
    assert convex_scores(more, np.array([3.0, 1.0, 0.0], np.float32), dense_weight=0.6)[:2] == pytest.approx(alone)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_convex_of_equal_or_no_scores_is_finite(count: int) -> None:
    same, none = np.full(count, 0.5, np.float32), np.zeros(count, np.float32)
    assert np.isfinite(convex_scores(same, none, dense_weight=0.5)).all()


class Begun(list[str]):
    def beginnings(self) -> NDArray[np.uint64]:
        return beginnings_of(self)


_ids = st.text(max_size=2) | st.builds(str.__add__, st.sampled_from(("P000000", "商品", "")), st.text(max_size=9))


@given(st.lists(st.tuples(st.integers(0, 3), _ids), max_size=30, unique_by=lambda pair: pair[1]))
def test_best_first_breaks_ties_by_id(pairs: list[tuple[int, str]]) -> None:
    scores, ids = np.array([score for score, _ in pairs], np.float32), [text for _, text in pairs]
    expected = sorted(range(len(pairs)), key=lambda n: (-scores[n], ids[n]))
    assert best_first(scores, ids).tolist() == expected
    assert best_first(scores, Begun(ids)).tolist() == expected


def test_agreement_is_the_share_of_the_first_by_words_that_the_vector_has_first_too() -> None:
    ranks = np.arange(1, 401)
    assert agreement(ranks, ranks) == 1.0
    assert agreement(ranks, np.where(ranks > 200, ranks - 200, 0)) == 0.0
    # Of the first 50 by words 20 are among the vector's first 50.
    assert agreement(ranks, np.where(ranks > 30, ranks - 30, 0)) == pytest.approx(0.4)
    # Words found two, one of them the vector's best.
    assert agreement(ranks, np.where(ranks == 1, 1, np.where(ranks == 300, 2, 0))) == 0.5
    assert agreement(ranks, np.zeros(400, np.int64)) == 0.0


def test_in_a_small_shop_agreement_is_told_by_the_first_quarter() -> None:
    ranks = np.arange(1, 9)
    assert agreement(ranks, ranks[::-1]) == 0.0
    assert agreement(ranks, ranks) == 1.0
