"""Mined negatives do not answer the query; what answers it, or may, is left out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.training.sources.shop import write_lines
from training.e5_weights import Floats
from training.hard_negatives import HardNegatives
from training.label_free_pairs import LabelFreePair
from training.product_facts import Wanted
from training.sources.catalogue import Catalogue
from training.sources.files import SourceFiles, open_sources
from training.sources.supervision import TrainingPair

_TITLES = ("red phone", "red phone, second", "blue phone", "case for red phone", "garden chair")


class _Index:
    """Finds every product, nearest first, in the order of the catalogue, at these cosines."""

    def __init__(self, cosines: list[float]) -> None:
        self._cosines = cosines

    def find(self, queries: Floats, count: int) -> tuple[Floats, Floats]:
        rows = len(queries)
        return np.tile(np.float32(self._cosines), (rows, 1)), np.tile(np.arange(len(self._cosines)), (rows, 1))


class _Texts:
    """Every text has the same vector: a query's own product is at cosine 1."""

    def vectors(self, texts: list[str], kind: str) -> Floats:
        return np.tile(np.float32([1.0, 0.0]), (len(texts), 1))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    rows = [{"id": str(number), "title": title} for number, title in enumerate(_TITLES)]
    sources = open_sources(SourceFiles((write_lines(tmp_path / "products.jsonl", rows),)), tmp_path / "run")
    yield sources.catalogue
    sources.close()


def _mined(
    catalogue: Catalogue, pairs: list[LabelFreePair], cosines: list[float] | None, count: int = 4
) -> list[set[str]]:
    index = None if cosines is None else _Index(cosines)
    miner = HardNegatives(catalogue, _Texts(), index, count, seed=1)  # type: ignore[arg-type]
    return [{text for text, _ in pair.negatives} for pair in miner.mined(iter(pairs))]


def _pair(query: str, document: str, wanted: Wanted, negatives: tuple[str, ...] = ()) -> LabelFreePair:
    return LabelFreePair(TrainingPair(query, "0", document, 1.0, 1.0, negatives, ""), wanted)


def test_what_answers_the_query_as_well_is_no_negative(catalogue: Catalogue) -> None:
    wanted = Wanted(frozenset({"phone"}), ("red",))
    (negatives,) = _mined(catalogue, [_pair("red phone", "red phone", wanted)], [0.9, 0.9, 0.9, 0.9, 0.1])
    assert "red phone" not in negatives
    assert {"blue phone", "case for red phone", "garden chair"} <= negatives


def test_an_accessory_is_a_negative_however_near_and_another_kind_only_when_farther(catalogue: Catalogue) -> None:
    wanted = Wanted(frozenset({"phone"}))
    (negatives,) = _mined(catalogue, [_pair("phone", "red phone", wanted)], [1.0, 1.0, 1.0, 1.2, 1.1])
    assert negatives == {"case for red phone"}


def test_without_knowing_what_is_wanted_near_products_are_left_out(catalogue: Catalogue) -> None:
    (negatives,) = _mined(catalogue, [_pair("q", "red phone", Wanted())], [0.99, 0.97, 0.94, 0.5, 0.1])
    assert negatives == {"blue phone", "case for red phone", "garden chair"}


def test_products_of_the_same_query_are_never_its_negatives(catalogue: Catalogue) -> None:
    pairs = [_pair("q", "red phone", Wanted()), _pair("q", "blue phone", Wanted())]
    for negatives in _mined(catalogue, pairs, [0.5, 0.5, 0.5, 0.5, 0.5]):
        assert negatives == {"red phone, second", "case for red phone", "garden chair"}


def test_a_pairs_own_negatives_come_first_and_one_is_mined(catalogue: Catalogue) -> None:
    pair = _pair("q", "red phone", Wanted(), ("skipped one", "skipped two", "skipped three"))
    (mined,) = _mined(catalogue, [pair], [0.5] * 5, count=3)
    assert {"skipped one", "skipped two"} < mined
    assert len(mined) == 3
    (alone,) = _mined(catalogue, [pair], None, count=2)
    assert alone == {"skipped one", "skipped two"}
