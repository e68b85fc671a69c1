"""What two sources found, side by side and fused: arrays alone."""

import numpy as np
import pytest

from services.retriever.columns import IntArray
from services.retriever.union import Found, Union, united
from vitrine.vectors import FloatArray

COSINES = {1: 0.9, 2: 0.5, 3: 0.8, 7: 0.3}


def _found(scores: dict[int, float]) -> Found:
    return np.array(list(scores), np.int64), np.array(list(scores.values()), np.float32)


def _cosines_of(keys: IntArray) -> FloatArray:
    return np.array([COSINES[key] for key in keys.tolist()], np.float32)


def _united(lexical: dict[int, float] | None, dense: dict[int, float] | None) -> Union:
    return united(
        None if lexical is None else _found(lexical),
        None if dense is None else _found(dense),
        cosines_of=_cosines_of,
        ids_of=lambda keys: [f"p{key}" for key in keys.tolist()],
    )


def _seen(union: Union, index: int) -> list[tuple[str, int, float]]:
    return [(source.source, source.rank, round(source.score, 4)) for source in union.sources(np.array([index]))[0]]


def test_each_source_says_how_it_saw_a_candidate_and_cosines_are_filled_in() -> None:
    union = _united({7: 4.0, 1: 2.0}, {1: 0.9, 3: 0.8})
    assert union.ids == ["p1", "p3", "p7"]
    assert _seen(union, 0) == [("dense", 1, 0.9), ("lexical", 2, 2.0)]
    assert _seen(union, 1) == [("dense", 2, 0.8), ("lexical", 0, 0.0)]
    assert _seen(union, 2) == [("dense", 0, 0.3), ("lexical", 1, 4.0)]


def test_the_weight_decides_between_words_and_vector() -> None:
    union = _united({7: 4.0, 1: 2.0}, {1: 0.9, 3: 0.8})
    assert union.scores("convex", 0.5) == pytest.approx([0.5 * 0.9 + 0.5 * 0.5, 0.4, 0.5 * 0.3 + 0.5])
    assert np.argmax(union.scores("convex", 0.9)) == 0
    assert np.argmax(union.scores("convex", 0.1)) == 2
    assert union.scores("rrf", 0.5) == pytest.approx([1 / 61 + 1 / 62, 1 / 62, 1 / 61])


def test_one_source_alone_gives_its_own_scores() -> None:
    assert _united({7: 4.0, 1: 2.0}, None).scores("convex", 0.5).tolist() == [2.0, 4.0]
    assert _united(None, {1: 0.9, 3: 0.8}).scores("convex", 0.5) == pytest.approx([0.9, 0.8])
    # Searched by words that no product holds: the vector decides alone.
    assert _united({}, {1: 0.9, 3: 0.8}).scores("rrf", 0.5) == pytest.approx([0.9, 0.8])
    assert _seen(_united(None, {1: 0.9}), 0) == [("dense", 1, 0.9)]


def test_of_equal_words_the_id_decides_the_rank() -> None:
    union = _united({3: 1.0, 1: 1.0, 2: 1.0}, {})
    assert [one[1].rank for one in union.sources(np.arange(3))] == [1, 2, 3]


def test_nothing_found_is_nothing() -> None:
    union = _united({}, {})
    assert (len(union.keys), union.scores("convex", 0.5).tolist()) == (0, [])
