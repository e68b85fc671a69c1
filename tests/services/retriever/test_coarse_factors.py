"""Coarse factors hold what exact scores find."""

import numpy as np
import pytest

from services.retriever.coarse_factors import CoarseFactors
from vitrine.vectors import FloatArray

FACTORS: FloatArray = np.random.default_rng(3).normal(size=(3_000, 64)).astype(np.float32)


@pytest.mark.parametrize("wanted", [1, 10, 100])
def test_the_best_are_among_those_proposed(wanted: int) -> None:
    usable = np.arange(len(FACTORS)) % 3 > 0
    coarse = CoarseFactors(FACTORS)
    for user in np.random.default_rng(4).normal(size=(20, 64)).astype(np.float32):
        proposed = coarse.proposed(user, usable, wanted)
        assert usable[proposed].all()
        assert len(set(proposed.tolist())) == len(proposed) == 2 * wanted
        scores = np.where(usable, FACTORS @ user, -np.inf)
        best = np.argsort(-scores)[:wanted]
        assert len(set(best.tolist()) - set(proposed.tolist())) <= wanted // 100


def test_few_that_may_be_found_are_all_proposed() -> None:
    usable = np.zeros(len(FACTORS), np.bool_)
    usable[[5, 9]] = True
    proposed = CoarseFactors(FACTORS).proposed(FACTORS[0], usable, 1)
    assert proposed.tolist() == [5, 9]


def test_without_factors_or_a_wish_nothing_breaks() -> None:
    nothing = np.zeros((4, 8), np.float32)
    proposed = CoarseFactors(nothing).proposed(np.zeros(8, np.float32), np.ones(4, np.bool_), 1)
    assert len(proposed) == 2
    assert not len(CoarseFactors(np.zeros((0, 8), np.float32)).proposed(nothing[0], np.zeros(0, np.bool_), 1))
