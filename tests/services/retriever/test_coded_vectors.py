"""Coded vectors propose what exact scores find."""

import faiss
import numpy as np
import pytest

from services.retriever.coded_vectors import BLOCK, CodedVectors, CodedView, _coded
from vitrine.vectors import FloatArray

COUNT = 2 * BLOCK + 3_000


@pytest.fixture(scope="module")
def vectors() -> FloatArray:
    """Without structure: the worst there is to code."""
    made: FloatArray = np.random.default_rng(3).normal(size=(COUNT, 64)).astype(np.float32)
    return made


@pytest.fixture(scope="module")
def coded(vectors: FloatArray) -> CodedView:
    faiss.omp_set_num_threads(1)
    writer = CodedVectors(64)
    for start in range(0, COUNT, 7_000):
        writer.extend(vectors[start : start + 7_000])
        view = writer.view()
    assert [block.ntotal for block in view.blocks] == [BLOCK, BLOCK]
    return view


@pytest.fixture(scope="module")
def whole(vectors: FloatArray) -> CodedView:
    faiss.omp_set_num_threads(1)
    return CodedView.of(vectors)


@pytest.mark.parametrize("view", ["coded", "whole"])
@pytest.mark.parametrize(("share", "wanted"), [(1.0, 1), (1.0, 40), (0.5, 40), (0.05, 40), (0.01, 10)])
def test_the_best_are_among_those_proposed(
    view: str, request: pytest.FixtureRequest, vectors: FloatArray, share: float, wanted: int
) -> None:
    coded = request.getfixturevalue(view)
    random = np.random.default_rng(4)
    usable = random.random(COUNT) < share
    found = 0
    for query in random.normal(size=(20, 64)).astype(np.float32):
        proposed = coded.proposed(query, usable, wanted)
        assert usable[proposed].all()
        assert (np.diff(proposed) > 0).all()
        best = np.argsort(-np.where(usable, vectors @ query, -np.inf))[:wanted]
        found += len(np.intersect1d(best, proposed))
    assert found >= 0.98 * 20 * wanted


def test_a_large_block_is_searched_as_deep_beside_many_small_ones(vectors: FloatArray) -> None:
    """As after a start, when all is one block, and a day of writes."""
    faiss.omp_set_num_threads(1)
    large, small = 11_000, 2_048
    ends = [large + small * number for number in range(13)]
    several = CodedView(vectors, [_coded(vectors[:large]), *(_coded(vectors[one - small : one]) for one in ends[1:])])
    alone = CodedView.of(vectors[: ends[-1]])
    proposed = several.proposed(vectors[0], np.ones(COUNT, np.bool_), 100)
    share = large / ends[-1]
    assert len(alone.blocks) == 1
    whole = len(alone.proposed(vectors[0], np.ones(ends[-1], np.bool_), 100))
    assert np.count_nonzero(proposed < large) >= share * whole


@pytest.mark.parametrize("view", ["coded", "whole"])
def test_a_filter_that_leaves_what_is_far_leaves_the_best_of_it(
    view: str, request: pytest.FixtureRequest, vectors: FloatArray
) -> None:
    scores = vectors @ vectors[0]
    usable = scores < 0
    proposed = request.getfixturevalue(view).proposed(vectors[0], usable, 40)
    best = np.argsort(-np.where(usable, scores, -np.inf))[:40]
    assert len(np.intersect1d(best, proposed)) == 40


def test_what_fills_no_block_and_what_few_are_usable_are_all_proposed(coded: CodedView, vectors: FloatArray) -> None:
    usable = np.zeros(COUNT, np.bool_)
    usable[[5, 9, BLOCK, COUNT - 1]] = True
    assert coded.proposed(vectors[0], usable, 40).tolist() == [5, 9, BLOCK, COUNT - 1]
    usable[2 * BLOCK :] = True
    assert coded.proposed(vectors[0], usable, 1).tolist() == [5, 9, BLOCK, *range(2 * BLOCK, COUNT)]


def test_a_reader_sees_nothing_of_what_comes_later() -> None:
    writer = CodedVectors(3)
    writer.extend(np.ones((BLOCK - 1, 3), np.float32))
    earlier = writer.view()
    writer.extend(np.full((2, 3), 9, np.float32))
    assert (len(earlier.vectors), len(earlier.blocks)) == (BLOCK - 1, 0)
    later = writer.view()
    assert (len(later.vectors), len(later.blocks)) == (BLOCK + 1, 1)
    proposed = later.proposed(np.ones(3, np.float32), np.ones(BLOCK + 1, np.bool_), 1)
    assert {BLOCK - 1, BLOCK} <= set(proposed.tolist())


def test_without_numbers_nothing_breaks() -> None:
    writer = CodedVectors(0)
    writer.extend(np.zeros((BLOCK, 0), np.float32))
    nothing = writer.view().proposed(np.zeros(0, np.float32), np.zeros(BLOCK, np.bool_), 1)
    assert not len(nothing)


def test_vectors_that_do_not_change_are_one_block_and_not_copied(whole: CodedView, vectors: FloatArray) -> None:
    assert whole.vectors is vectors
    assert [block.ntotal for block in whole.blocks] == [COUNT]
    assert whole.nbytes == vectors.nbytes + COUNT * 16
    assert len(CodedView.of(vectors[: BLOCK - 1]).blocks) == 0
