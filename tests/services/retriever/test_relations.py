"""The relations' arithmetic against the plainest way to write it."""

from typing import Any

import numpy as np
import pytest

from services.retriever.relations import (
    als_inverse,
    als_parts,
    als_user,
    behaviour_vectors,
    nearest,
    neighbour_scores,
)
from vitrine.learned_products import Neighbours


def test_a_visitor_is_folded_in_as_the_whole_system_says() -> None:
    """Hu, Koren, Volinsky 2008: x = (Yt C Y + reg I)^-1 Yt C p, with C and p over all products."""
    random = np.random.default_rng(1)
    factors = random.normal(size=(40, 6)).astype(np.float32)
    rows, weights = np.array([3, 17, 30]), np.array([0.5, 1.0, 4.0], np.float32)
    confidence, liked = np.ones(40), np.zeros(40)
    confidence[rows] += 2.5 * weights
    liked[rows] = 1.0
    wide = factors.astype(np.float64)
    system = wide.T @ np.diag(confidence) @ wide + 0.3 * np.eye(6)
    expected = np.linalg.solve(system, wide.T @ (confidence * liked))
    inverse = als_inverse(factors, 0.3)
    user = als_user(factors, inverse, rows, weights, alpha=2.5)
    np.testing.assert_allclose(user, expected, rtol=1e-5)
    parts = als_parts(factors, inverse, rows, weights, alpha=2.5)
    assert parts.shape == (3, 6)
    # What an anchor adds is its confidence times its likeness to the product, as the visitor sees it (§5).
    product = wide[9]
    shares = [confidence[row] * product @ np.linalg.solve(system, wide[row]) for row in rows]
    np.testing.assert_allclose(parts @ product, shares, rtol=1e-4)
    np.testing.assert_allclose(sum(shares), product @ expected, rtol=1e-6)


def test_the_more_it_counts_the_nearer_a_visitor_is_to_an_anchor() -> None:
    factors = np.random.default_rng(2).normal(size=(30, 5)).astype(np.float32)
    inverse = als_inverse(factors, 0.1)
    scores = [
        float(factors[4] @ als_user(factors, inverse, np.array([4]), np.array([weight]), alpha=1.0))
        for weight in (0.1, 1.0, 10.0, 1e6)
    ]
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(1.0, abs=1e-3)


def _naive(neighbours: Neighbours, rows: Any, weights: Any) -> dict[int, tuple[float, int]]:
    found: dict[int, list[float]] = {}
    for place, row in enumerate(rows):
        for at in range(neighbours.starts[row], neighbours.starts[row + 1]):
            parts = found.setdefault(int(neighbours.products[at]), [0.0] * len(rows))
            parts[place] += float(neighbours.weights[at]) * float(weights[place])
    return {product: (sum(parts), int(np.argmax(parts))) for product, parts in found.items()}


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_add_up_over_anchors(seed: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.integers(0, 6, size=25)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    products = np.concatenate([random.choice(25, size=count, replace=False) for count in counts]).astype(np.int64)
    # Of a few values only, so that anchors tie for the lead.
    weights = random.integers(1, 4, size=len(products)).astype(np.float32)
    neighbours = Neighbours(starts, products, weights)
    anchors, anchor_weights = random.choice(25, size=8, replace=False), random.integers(1, 3, size=8).astype(np.float32)
    scores = neighbour_scores(neighbours, anchors, anchor_weights)
    expected = _naive(neighbours, anchors, anchor_weights)
    assert scores.rows.tolist() == sorted(expected)
    for row, score, anchor in zip(scores.rows.tolist(), scores.scores, scores.anchors.tolist(), strict=True):
        assert float(score) == pytest.approx(expected[row][0])
        assert anchor == expected[row][1]


def test_anchors_without_neighbours_find_nothing() -> None:
    neighbours = Neighbours(np.zeros(4, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    for anchors in ([], [1, 2]):
        rows = np.array(anchors, np.int64)
        scores = neighbour_scores(neighbours, rows, np.ones(len(rows), np.float32))
        assert (len(scores.rows), len(scores.scores), len(scores.anchors)) == (0, 0, 0)


def test_behaviour_vectors_start_from_text() -> None:
    random = np.random.default_rng(4)
    text, projection = random.normal(size=(3, 5)).astype(np.float32), random.normal(size=(5, 2)).astype(np.float32)
    bias, residuals = np.array([0.5, -0.5], np.float32), np.zeros((3, 2), np.float16)
    residuals[1] = [2.0, 1.0]
    vectors = behaviour_vectors(text, projection, bias, residuals)
    for row in range(3):
        raw = text[row] @ projection + bias + residuals[row]
        np.testing.assert_allclose(vectors[row], raw / np.linalg.norm(raw), rtol=1e-5)


def test_the_nearest_anchor_is_the_first_of_equals() -> None:
    anchors = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    cosines, places = nearest(np.array([[0, 1], [1, 0], [0.6, 0.8]], np.float32), anchors)
    np.testing.assert_allclose(cosines, [1.0, 1.0, 0.8])
    assert places.tolist() == [1, 0, 1]
