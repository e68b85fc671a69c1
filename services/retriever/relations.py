"""How products relate to anchors: plain functions over arrays, the same in serving, training and evaluation.

Rows are numbers of learned products. Weights of anchors are of order 1: one event of a visitor is 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitrine.learned_products import IntArray, Neighbours
from vitrine.vectors import FloatArray, l2_normalized

Doubles = NDArray[np.float64]


def behaviour_vectors(
    text: FloatArray, projection: FloatArray, bias: FloatArray, residuals: NDArray[np.floating]
) -> FloatArray:
    """(n, d) float32, L2-normalised, of (n, text_dim) text vectors; `residuals` (n, d), zeros where none is known.

    Double precision inside: a product of matrices rounds a row by where it stands in it, and products of one text, or
    one product before and after a restart, shall tie.
    """
    placed: FloatArray = (text.astype(np.float64) @ projection.astype(np.float64) + bias + residuals).astype(np.float32)
    return l2_normalized(placed)


def als_inverse(factors: FloatArray, regularization: float) -> Doubles:
    """(f, f): what `als_parts` needs of all (p, f) factors, made once."""
    wide = factors.astype(np.float64)
    return np.asarray(np.linalg.inv(wide.T @ wide + regularization * np.eye(wide.shape[1])), np.float64)


def als_parts(
    factors: FloatArray, inverse: Doubles, rows: IntArray, weights: FloatArray, *, alpha: float
) -> FloatArray:
    """(len(rows), f): what each anchor adds to the factor of a visitor who is folded in; their sum is that factor.

    Confidence in an anchor is 1 + alpha * its weight (Hu, Koren, Volinsky 2008, where the parts explain a score, §5).
    By Woodbury's identity the system that is solved is as large as the history, not as wide as the factors.
    """
    liked = factors[rows].astype(np.float64)
    added = alpha * np.asarray(weights, np.float64)
    shared = liked @ inverse
    system = np.eye(len(liked)) + (shared @ liked.T) * added
    parts: FloatArray = (np.linalg.solve(system, shared) * (1.0 + added)[:, None]).astype(np.float32)
    return parts


def als_user(factors: FloatArray, inverse: Doubles, rows: IntArray, weights: FloatArray, *, alpha: float) -> FloatArray:
    """(f,) factor of a visitor with these anchors; a product's score is its inner product with the product's."""
    parts = als_parts(factors, inverse, rows, weights, alpha=alpha)
    user: FloatArray = parts.sum(axis=0, dtype=np.float64).astype(np.float32)
    return user


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourScores:
    """Neighbours of some anchors: `rows` (n,) ascending, `scores` (n,) > 0, `anchors` (n,) places of those that count
    most, the first of equals.
    """

    rows: IntArray
    scores: FloatArray
    anchors: IntArray


def neighbour_scores(neighbours: Neighbours, rows: IntArray, weights: FloatArray) -> NeighbourScores:
    """The sum over anchors of the anchor's weight x the neighbour's weight."""
    begins = neighbours.starts[rows]
    counts = neighbours.starts[rows + 1] - begins
    if not counts.sum():
        nothing = np.zeros(0, np.int64)
        return NeighbourScores(nothing, np.zeros(0, np.float32), nothing)
    anchors = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(anchors)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.repeat(begins, counts) + within
    found = neighbours.products[places]
    parts = neighbours.weights[places] * np.asarray(weights, np.float64)[anchors]
    # Sorted with their places in one number, which takes half as long as `argsort`.
    keys = np.sort(found.astype(np.int64) << 32 | np.arange(len(found)))
    found, order = keys >> 32, keys & 0xFFFFFFFF
    parts, anchors = parts[order], anchors[order]
    firsts = np.concatenate([[0], np.flatnonzero(found[1:] != found[:-1]) + 1])
    sizes = np.concatenate([firsts[1:], [len(found)]]) - firsts
    largest = np.repeat(np.maximum.reduceat(parts, firsts), sizes)
    leading = np.where(parts == largest, anchors, len(rows))
    return NeighbourScores(
        rows=found[firsts],
        scores=np.add.reduceat(parts, firsts).astype(np.float32),
        anchors=np.minimum.reduceat(leading, firsts),
    )


def nearest(vectors: FloatArray, anchors: FloatArray) -> tuple[FloatArray, IntArray]:
    """(n,) cosines of (n, dim) vectors to the nearest of (a, dim) anchors, a > 0, and (n,) which that is."""
    places = nearest_places(vectors, anchors)
    # Again row by row: a product of matrices rounds a row by where it stands in it, and the same vectors shall tie.
    return np.einsum("nd,nd->n", vectors, anchors[places]), places


def nearest_places(vectors: FloatArray, anchors: FloatArray) -> IntArray:
    """(n,) which of (a, dim) anchors, a > 0, has the largest inner product with each of (n, dim) vectors."""
    places: IntArray = np.argmax(vectors @ anchors.T, axis=1)
    return places
