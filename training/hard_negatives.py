"""Hard negatives: what the model in training takes for near and what does not answer the query.

A label-free query says what it wants, so that a product which answers it as well is no negative, and one that only
mentions it (a bag for the laptop) is one however near it lies. Elsewhere what lies about as near as the query's own
product may answer it too and is left out (Moreira et al. 2024, "NV-Retriever", positive-aware mining).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np

from training.dense_index import DenseIndex, TextEncoder
from training.label_free_pairs import LabelFreePair
from training.pair_file import MinedPair
from training.product_facts import Facts, Wanted, product_facts
from training.sources.catalogue import Catalogue
from training.sources.supervision import TrainingPair

_CHUNK = 512  # pairs
_CANDIDATES = 60  # nearest products of a query
_TOO_NEAR = 0.95  # share of the own product's cosine


@dataclass(frozen=True)
class _Product:
    text: str
    facts: Facts

    @property
    def group(self) -> str:
        return " ".join(sorted(self.facts.heads))


class HardNegatives:
    """Gives each pair up to `count` negatives: its own first, then mined ones when there is an index."""

    def __init__(
        self, catalogue: Catalogue, texts: TextEncoder, index: DenseIndex | None, count: int, seed: int
    ) -> None:
        self._catalogue, self._texts, self._index, self._count = catalogue, texts, index, count
        self._rng = random.Random(seed)
        self._product = lru_cache(maxsize=20_000)(self._read)

    def mined(self, pairs: Iterator[LabelFreePair]) -> Iterator[MinedPair]:
        """The pairs with negatives, in order; pairs of one query that follow each other know each other's products."""
        for chunk in _chunks(pairs):
            found = self._found([one.pair for one in chunk])
            relevant: dict[str, set[str]] = {}
            for one in chunk:
                relevant.setdefault(one.pair.query, set()).add(one.pair.document)
            for one, candidates in zip(chunk, found, strict=True):
                yield self._with_negatives(one.pair, one.wanted, candidates, relevant[one.pair.query])

    def _found(self, pairs: Sequence[TrainingPair]) -> list[list[tuple[int, float]]]:
        """Numbers of near products, nearest first, each with its cosine as a share of the own product's."""
        if self._index is None:
            return [[] for _ in pairs]
        queries = self._texts.vectors([pair.query for pair in pairs], "query")
        own = (queries * self._texts.vectors([pair.document for pair in pairs], "document")).sum(axis=1)
        scores, numbers = self._index.find(queries, _CANDIDATES)
        shares = scores / np.maximum(own, 1e-6)[:, None]
        return [
            list(zip(row.tolist(), share.tolist(), strict=True)) for row, share in zip(numbers, shares, strict=True)
        ]

    def _with_negatives(
        self, pair: TrainingPair, wanted: Wanted, candidates: list[tuple[int, float]], relevant: set[str]
    ) -> MinedPair:
        own = [(text, "") for text in pair.negatives]
        mined: list[tuple[str, str]] = []
        for number, share in candidates:
            if number < 0 or len(mined) == 2 * self._count:
                continue
            product = self._product(number)
            if product.text in relevant or product.text in pair.negatives or not _fails(wanted, product.facts, share):
                continue
            mined.append((product.text, product.group))
        # At least one of the mined: what a search showed is not always hard.
        kept = own[: max(0, self._count - 1)] if mined else own[: self._count]
        kept += self._rng.sample(mined, k=min(self._count - len(kept), len(mined)))
        return MinedPair(pair.query, pair.document, pair.group, pair.label, pair.weight, tuple(kept))

    def _read(self, number: int) -> _Product:
        item = self._catalogue.item(number)
        return _Product(self._catalogue.documents([number])[0], product_facts(item))


def _chunks(pairs: Iterator[LabelFreePair]) -> Iterator[list[LabelFreePair]]:
    """Pairs by the hundred, those of one query together."""
    chunk: list[LabelFreePair] = []
    for _, group in groupby(pairs, key=lambda one: one.pair.query):
        chunk += group
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _fails(wanted: Wanted, facts: Facts, share: float) -> bool:
    """Whether a product is a negative: it does not answer a query that says what it wants; else it lies farther."""
    if not wanted.is_known:
        return share < _TOO_NEAR
    if wanted.answered_by(facts):
        return False
    return share < 1.0 or wanted.only_mentioned_by(facts)
