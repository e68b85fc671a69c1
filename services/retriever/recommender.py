"""The recommender as the retriever serves it: what it learned of products, ready to place and score any product."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.retriever.coded_vectors import CodedView
from services.retriever.relations import als_inverse, behaviour_vectors
from vitrine.errors import FailedPrecondition
from vitrine.learned_products import IntArray, LearnedProducts, read_learned_products
from vitrine.recommender_bundle import RecommenderBundle, load_recommender
from vitrine.vectors import FloatArray

NumberArray = NDArray[np.int32]


class Recommender:
    """A bundle's product side. Nothing in it changes."""

    def __init__(self, bundle: RecommenderBundle, learned: LearnedProducts) -> None:
        self._bundle = bundle
        self.manifest = bundle.manifest
        self.digest = bundle.manifest.digest
        self.dim = bundle.manifest.dim
        self.learned = learned
        self.als_inverse = als_inverse(learned.factors, self.manifest.als_regularization)
        # Of the others nothing is known, and a score of 0 would say otherwise.
        self.factored: NDArray[np.bool_] = np.asarray(learned.factors.any(axis=1))
        self.coded_factors = CodedView.of(learned.factors)
        self._numbers = {product_id: number for number, product_id in enumerate(learned.ids)}

    @classmethod
    def open(cls, folder: Path) -> "Recommender":
        """Reads and verifies the bundle. Raises FailedPrecondition when it is missing, damaged or of another kind."""
        bundle = load_recommender(folder)
        return cls(bundle, read_learned_products(bundle))

    def require_model(self, digest: str, dim: int) -> None:
        """Raises FailedPrecondition, naming both, unless it reads this model's text vectors; "" is an empty index."""
        if not digest:
            return
        self._bundle.require_embedder(digest)
        if dim != self.manifest.text_dim:
            raise FailedPrecondition(
                f"recommender {self._bundle.folder} reads text vectors of {self.manifest.text_dim} numbers and the"
                f" index holds {dim}; train it again with this embedder",
                reason="RECOMMENDER_MISMATCH",
            )

    def numbers_of(self, ids: Sequence[str]) -> NumberArray:
        """(n,) numbers among the learned products, -1 for one that is new to it."""
        return np.array([self._numbers.get(product_id, -1) for product_id in ids], np.int32)

    def events_of(self, numbers: NumberArray) -> IntArray:
        """(n,) events that were learned from of products by number."""
        return np.where(numbers >= 0, self.learned.trained_events[numbers], 0)

    def vectors_of(self, numbers: NumberArray, text: FloatArray) -> FloatArray:
        """(n, d) behaviour vectors of products by number and (n, text_dim) text vector."""
        learned = self.learned
        residuals = np.zeros((len(numbers), self.dim), np.float32)
        residuals[numbers >= 0] = learned.residuals[numbers[numbers >= 0]]
        return behaviour_vectors(text, learned.projection, learned.bias, residuals)


def fitting_of(recommenders: Sequence[Recommender], digest: str, dim: int) -> tuple[tuple[Recommender, ...], str]:
    """The recommenders that read this model's text vectors, and why the first does not, "" where it does.

    The others may wait for a model that is to come.
    """
    fitting, fault = [], ""
    for recommender in recommenders:
        try:
            recommender.require_model(digest, dim)
        except FailedPrecondition as error:
            if recommender is recommenders[0]:
                fault = error.message
        else:
            fitting.append(recommender)
    return tuple(fitting), fault


class BehaviourView:
    """The behaviour space as of one moment, positions being those of the columns; nothing in it changes.

    `numbers` (n,) of the learned products, -1 for none, and `coded` vectors (n, d), L2-normalised.
    """

    def __init__(
        self, recommender: Recommender, numbers: NumberArray, coded: CodedView, alive: NDArray[np.bool_]
    ) -> None:
        self.recommender = recommender
        self.numbers = numbers
        self.coded = coded
        self._alive = alive

    @property
    def vectors(self) -> FloatArray:
        """(n, d) float32, L2-normalised."""
        return self.coded.vectors

    @cached_property
    def positions(self) -> IntArray:
        """(p,) where each learned product's living version is, -1 where there is none; made when first asked for."""
        positions = np.full(len(self.recommender.learned.ids), -1, np.int64)
        known = np.flatnonzero(self._alive & (self.numbers >= 0))
        positions[self.numbers[known]] = known
        return positions

    @cached_property
    def factored(self) -> NDArray[np.bool_]:
        """(p,) whether each learned product lives and has a factor."""
        return self.recommender.factored & (self.positions >= 0)
