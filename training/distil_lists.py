"""Lists of products, one for a query, whose logits a smaller ranker learns; drawn anew at every step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from training.cross_encoder import pad_pairs, pair_row
from training.distil_rows import DistilRows

_MAX_TOKENS = 96


@dataclass(frozen=True)
class ListShape:
    """What a list holds beside the query's own product: of the `nearest` so many close and far, and some at random."""

    nearest: int = 64
    close: int = 10  # of the nearer half
    far: int = 4  # of the other
    random: int = 1

    @property
    def size(self) -> int:
        """Products of a list."""
        return 1 + self.close + self.far + self.random


@dataclass(frozen=True)
class Drawn:
    """Pairs of whole lists: ids, mask and types, each (lists * size, t); the queries (lists,); how far the round is."""

    pairs: tuple[Tensor, Tensor, Tensor]
    queries: NDArray[Any]
    share: float


class ListMaker:
    """Draws lists. `near` (m, nearest) are the products nearest each query."""

    def __init__(
        self, rows: DistilRows, near: NDArray[Any], shape: ListShape, tokenizer: Tokenizer, pad_id: int
    ) -> None:
        *self._opening, self._closing = tokenizer.encode("").ids
        self._rows, self._near, self._shape, self._pad_id = rows, near, shape, pad_id
        self._query_lengths = np.array([len(row) for row in rows.queries])
        self._lengths = np.array([len(row) for row in rows.ranked])

    def drawn(self, queries: NDArray[Any], rng: np.random.Generator, parts: int, share: float = 0.0) -> list[Drawn]:
        """One list for each query number, in so many parts of lists of similar length."""
        products = self._products(queries, rng)
        order = np.argsort(self._query_lengths[queries] + self._lengths[products].max(axis=1), kind="stable")
        return [self._padded(queries[at], products[at], share) for at in np.array_split(order, parts) if len(at)]

    def _products(self, queries: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """(n, size) products; the own one first."""
        shape, count = self._shape, len(queries)
        half = shape.nearest // 2
        close = np.argsort(rng.random((count, half)), axis=1)[:, : shape.close]
        far = rng.integers(half, shape.nearest, (count, shape.far))
        beside = np.take_along_axis(self._near[queries], np.concatenate([close, far], axis=1), axis=1)
        others = rng.integers(0, len(self._lengths), (count, shape.random))
        return np.concatenate([self._rows.sources[queries][:, None], beside, others], axis=1)

    def _padded(self, queries: NDArray[Any], products: NDArray[Any], share: float) -> Drawn:
        pairs = [
            pair_row(self._closed(self._rows.queries[query]), self._closed(self._rows.ranked[product]), _MAX_TOKENS)
            for query, chosen in zip(queries, products, strict=True)
            for product in chosen
        ]
        return Drawn(pad_pairs(pairs, self._pad_id), queries, share)

    def _closed(self, row: list[int]) -> list[int]:
        return [*self._opening, *row, self._closing]


@dataclass(frozen=True)
class ListStream:
    """The batches of one round: each step takes `lists` lists in `parts` batches.

    What a step draws follows from the seeds and its number alone, so that a stopped run goes on with the same lists.
    """

    maker: ListMaker
    queries: NDArray[Any]  # the numbers of those that are learned from
    seeds: tuple[int, int]
    steps: int
    lists: int
    parts: int

    def __len__(self) -> int:
        return self.steps * self.parts

    def starting_at(self, batch: int) -> Iterator[Drawn]:
        """The batches from number `batch` on."""
        first, part = divmod(batch, self.parts)
        for step in range(first, self.steps):
            rng = np.random.default_rng((*self.seeds, step))
            queries = self.queries[rng.integers(0, len(self.queries), self.lists)]
            yield from self.maker.drawn(queries, rng, self.parts, step / self.steps)[part:]
            part = 0
