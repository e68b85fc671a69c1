"""The baselines on a shop that can be ordered by eye."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from evaluation.baselines import baseline_orders
from evaluation.icecat import read_icecat
from vitrine.ports import InputType
from vitrine.vectors import FloatArray


def by_first_letter(texts: Sequence[str], input_type: InputType) -> FloatArray:
    """A stand-in for a model: texts are alike when they begin alike."""
    vectors = np.zeros((len(texts), 26), dtype=np.float32)
    vectors[range(len(texts)), [ord(text[0].lower()) - ord("a") for text in texts]] = 1
    return vectors


def test_orders(data_dir: Path) -> None:
    orders = baseline_orders(read_icecat(data_dir), {"letter": by_first_letter})
    assert list(orders) == ["bm25", "letter", "rrf bm25 letter"]
    bm25 = orders["bm25"]
    assert set(bm25["laptop"].full[:2]) == {"3", "4"}
    assert bm25["laptop"].judged[0] == "4", "the shorter title wins"
    assert bm25["toner"].full[0] == "5"
    assert len(bm25["toner"].full) == 6
    # Nothing begins with h: all are equal, and stay in the catalogue's order.
    assert orders["letter"]["headphones"].full == ["1", "2", "3", "4", "5", "6"]


def test_fusion_adds_reciprocal_ranks(data_dir: Path) -> None:
    orders = baseline_orders(read_icecat(data_dir), {"letter": by_first_letter})["rrf bm25 letter"]
    # Words: 4, 3, then 1, 2, 5, 6; letters: all equal, so 1 to 6.
    words, letters = {"4": 1, "3": 2, "1": 3, "2": 4, "5": 5, "6": 6}, {str(n): n for n in range(1, 7)}
    scores = {one: 1 / (60 + words[one]) + 1 / (60 + letters[one]) for one in words}
    assert [scores[one] for one in orders["laptop"].full] == pytest.approx(sorted(scores.values(), reverse=True))


def test_all_encoders_are_fused_too(data_dir: Path) -> None:
    orders = baseline_orders(read_icecat(data_dir), {"one": by_first_letter, "two": by_first_letter})
    assert list(orders)[-3:] == ["rrf bm25 one", "rrf bm25 two", "rrf bm25 one two"]
