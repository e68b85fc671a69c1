"""Behaviour columns: the products in the behaviour space of each recommender that is served; the writer's side."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.retriever.buffer import Buffer
from services.retriever.coded_vectors import CodedVectors
from services.retriever.recommender import BehaviourView, Recommender
from vitrine.learned_products import IntArray
from vitrine.vectors import FloatArray


class _Space:
    """One recommender's numbers and vectors of the products, by position."""

    def __init__(self, recommender: Recommender) -> None:
        self.recommender = recommender
        self.numbers = Buffer(np.int32)
        self.vectors = CodedVectors(recommender.dim)


class BehaviourColumns:
    """The spaces of some recommenders, all of them for the model whose vectors are appended."""

    def __init__(self, recommenders: Iterable[Recommender]) -> None:
        self._spaces = [_Space(recommender) for recommender in recommenders]

    @property
    def recommenders(self) -> tuple[Recommender, ...]:
        """Whose spaces these are."""
        return tuple(space.recommender for space in self._spaces)

    def append(self, ids: Sequence[str], vectors: FloatArray) -> None:
        """Places products by id and (n, dim) text vector."""
        for space in self._spaces:
            numbers = space.recommender.numbers_of(ids)
            space.numbers.extend(numbers)
            space.vectors.extend(space.recommender.vectors_of(numbers, vectors))

    def view(self, alive: NDArray[np.bool_]) -> dict[str, BehaviourView]:
        """What a reader sees from now on, by the recommenders' digests, the first one first."""
        return {
            space.recommender.digest: BehaviourView(
                space.recommender, space.numbers.view(), space.vectors.view(), alive
            )
            for space in self._spaces
        }

    def take(self, views: Mapping[str, BehaviourView], positions: IntArray) -> None:
        """Appends those positions of views of the same recommenders."""
        for space in self._spaces:
            view = views[space.recommender.digest]
            space.numbers.extend(view.numbers[positions])
            space.vectors.extend(view.vectors[positions])
