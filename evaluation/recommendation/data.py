"""What a recommender is trained on and asked: one form for every data set and protocol."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from training.e5_weights import Floats
from training.recommendation.candidates import ProductFacts
from training.recommendation.histories import History
from training.recommendation.interactions import Integers, Interactions
from vitrine.product import Product
from vitrine.vectors import l2_normalized

# Gives products' text vectors (n, dim), L2-normalised.
TextVectors = Callable[[Sequence[Product]], Floats | None]


@dataclass(frozen=True)
class Task:
    """Questions of one kind: what is known, and the products that turned out to be right.

    `left_out` products are not ranked: those of the history where only new ones count, the anchor for goes-with.
    """

    name: str
    histories: list[History]
    left_out: list[Integers]
    relevant: list[Integers]  # distinct products, at least one each

    def __len__(self) -> int:
        return len(self.histories)


@dataclass(frozen=True)
class Dataset:
    """A data set, split. `interactions` hold nothing of what is asked; `notes` say what was left out, for people."""

    name: str
    digest: str  # equal for equal files
    protocol: str
    interactions: Interactions
    tasks: tuple[Task, ...]
    notes: tuple[str, ...]
    purchases: Interactions | None = None  # baskets, where the interactions hold each product of a visitor once
    facts: ProductFacts | None = None


def numbered(ids: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Product ids in the order of their digests, and the number of each.

    The ids of some sets tell when a product first came, and ties are broken by number: their order must say nothing.
    """
    ordered = sorted(set(ids), key=lambda one: hashlib.sha256(one.encode()).digest())
    return ordered, {one: number for number, one in enumerate(ordered)}


def tfidf_vectors(attributes: Sequence[Sequence[int]]) -> Floats:
    """(n, different attributes) float32, L2-normalised or zero: what each product has, the rarer the more."""
    names = sorted({one for own in attributes for one in own})
    columns = {one: column for column, one in enumerate(names)}
    vectors = np.zeros((len(attributes), len(names)), np.float32)
    for row, own in enumerate(attributes):
        vectors[row, [columns[one] for one in own]] = 1
    vectors *= np.log((1 + len(attributes)) / (1 + vectors.sum(axis=0)))
    return l2_normalized(vectors)
