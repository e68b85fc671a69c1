"""Who did what with which product, and when: what every part of the recommender learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.e5_weights import Floats
from training.errors import TrainingError

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Interactions:
    """Columns with one row per event and product, sorted by visitor, then time; made by `interactions`.

    `visitors` and `products` are numbers from 0; product p is `product_ids[p]`, its text `text_vectors[p]`.
    """

    visitors: Integers  # (n,)
    products: Integers  # (n,)
    times: NDArray[np.float64]  # (n,) seconds since the epoch; in sets without times, the place in the history
    event_types: Integers  # (n,) numbers of vitrine.v1.EventType
    product_ids: tuple[str, ...]
    text_vectors: Floats | None = None  # (products, text_dim), L2-normalised or zero; None: nothing but behaviour

    def __len__(self) -> int:
        return len(self.products)

    @cached_property
    def bounds(self) -> Integers:
        """Where each history starts, and the end: history i is rows bounds[i] to bounds[i + 1]."""
        starts = np.flatnonzero(np.diff(self.visitors, prepend=-1))
        return np.append(starts, len(self)).astype(np.int64)

    @property
    def histories(self) -> list[Integers]:
        """The products of each visitor, oldest first, visitors by number; those without an event have no entry."""
        return [self.products[start:end] for start, end in zip(self.bounds[:-1], self.bounds[1:], strict=True)]

    def product_counts(self) -> Integers:
        """Events of each product (products,)."""
        return np.bincount(self.products, minlength=len(self.product_ids)).astype(np.int64)

    def without_last(self, count: int) -> "Interactions":
        """The same without the last `count` events of each visitor: what was known before them."""
        ends = np.repeat(self.bounds[1:], np.diff(self.bounds))
        return self.where(np.arange(len(self)) < ends - count)

    def where(self, kept: NDArray[np.bool_]) -> "Interactions":
        """The rows that `kept` (n,) marks; visitors and products keep their numbers."""
        return replace(
            self,
            visitors=self.visitors[kept],
            products=self.products[kept],
            times=self.times[kept],
            event_types=self.event_types[kept],
        )


def interactions(
    visitors: Integers,
    products: Integers,
    times: NDArray[np.float64],
    event_types: Integers,
    product_ids: Sequence[str],
    text_vectors: Floats | None = None,
) -> Interactions:
    """Interactions of columns in any order; events of one visitor at one time keep theirs.

    Raises TrainingError when a column has another length, a product no id or not the one text vector it needs.
    """
    lengths = {len(column) for column in (visitors, products, times, event_types)}
    if len(lengths) > 1:
        raise TrainingError(f"columns of interactions have different lengths: {sorted(lengths)}")
    if len(products) and not 0 <= products.min() <= products.max() < len(product_ids):
        raise TrainingError(f"interactions name product {products.max()}, but there are {len(product_ids)} product ids")
    if len(visitors) and visitors.min() < 0:
        raise TrainingError(f"interactions name visitor {visitors.min()}; visitors are numbered from 0")
    if text_vectors is not None and len(text_vectors) != len(product_ids):
        raise TrainingError(f"{len(text_vectors)} text vectors for {len(product_ids)} products; give one each")
    order = np.lexsort((times, visitors))
    return Interactions(
        visitors=np.asarray(visitors, dtype=np.int64)[order],
        products=np.asarray(products, dtype=np.int64)[order],
        times=np.asarray(times, dtype=np.float64)[order],
        event_types=np.asarray(event_types, dtype=np.int64)[order],
        product_ids=tuple(product_ids),
        text_vectors=None if text_vectors is None else np.asarray(text_vectors, dtype=np.float32),
    )
