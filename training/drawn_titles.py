"""Titles of pieces drawn from a vocabulary by their likelihood: words that the shops' texts lack, Chinese mostly.

A ranker meets words that no training text had; on such titles a smaller one learns what its teacher says of them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.errors import TrainingError
from training.vocabulary import WORD_START, has_han

_FLATTENED = 0.6  # power of the likelihood: rare pieces come more often than they would
_ENOUGH = 4  # a title of more pieces is worth changing


class DrawnTitles:
    """Draws titles, and queries from them, as token ids without special tokens."""

    def __init__(self, tokenizer: Tokenizer, rng: np.random.Generator) -> None:
        """Raises TrainingError when the tokenizer's pieces have no likelihoods, or none are Chinese or Latin."""
        model = json.loads(tokenizer.to_str())["model"]
        if model["type"] != "Unigram":
            raise TrainingError(
                f"the teacher's tokenizer is {model['type']}, whose pieces have no likelihoods to draw titles by; "
                "give a ranker that `vitrine train shipped-ranker` made"
            )
        self._rng = rng
        pieces = [piece.lstrip(WORD_START) for piece, _ in model["vocab"]]
        likelihoods = np.exp(_FLATTENED * np.array([score for _, score in model["vocab"]]))
        self._chinese = _shares(likelihoods, [has_han(piece) for piece in pieces], "Chinese")
        self._latin = _shares(likelihoods, [piece.isascii() and piece.isalnum() for piece in pieces], "Latin")

    def draw(
        self, count: int, titles: Sequence[list[int]], chinese: Sequence[list[int]]
    ) -> Iterator[tuple[list[int], list[list[int]]]]:
        """`count` titles with one or two queries each.

        Half are Chinese pieces alone, a quarter one of the `chinese` titles with Chinese pieces in place of some of its
        own, a quarter one of all `titles` with Latin ones.
        """
        worth = [title for title in chinese if len(title) > _ENOUGH]
        rng = self._rng
        for number in range(count):
            kind = number % 4
            shares = self._chinese if kind < 3 else self._latin
            if kind < 2:
                title = rng.choice(len(shares), size=int(rng.integers(5, 26)), p=shares)
            elif kind == 2:
                title = self._changed(worth[int(rng.integers(len(worth)))], 0.2, 0.7, shares)
            else:
                title = self._changed(titles[int(rng.integers(len(titles)))], 0.1, 0.5, shares)
            if len(title):
                yield title.tolist(), [self._query(title, shares) for _ in range(2 if kind < 3 else 1)]

    def _changed(self, title: list[int], least: float, most: float, shares: NDArray[Any]) -> NDArray[Any]:
        changed = np.array(title, dtype=np.int64)
        at = self._rng.random(len(changed)) < self._rng.uniform(least, most)
        changed[at] = self._rng.choice(len(shares), size=int(at.sum()), p=shares)
        return changed

    def _query(self, title: NDArray[Any], shares: NDArray[Any]) -> list[int]:
        """One to five pieces of the title in a row, in three of ten one of them another."""
        rng = self._rng
        count = int(rng.integers(1, 6))
        start = int(rng.integers(0, max(1, len(title) - count)))
        query: list[int] = title[start : start + count].tolist()
        if rng.random() < 0.3:
            query[int(rng.integers(len(query)))] = int(rng.choice(len(shares), p=shares))
        return query


def _shares(likelihoods: NDArray[Any], which: list[bool], script: str) -> NDArray[Any]:
    if not any(which):
        raise TrainingError(f"the teacher's vocabulary holds no {script} piece; give a ranker of Chinese and English")
    chosen = np.where(which, likelihoods, 0.0)
    shares: NDArray[Any] = chosen / chosen.sum()
    return shares
