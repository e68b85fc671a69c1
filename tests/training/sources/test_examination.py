"""Examination by position is found again in a log that was made with it, and assumed where a log cannot tell."""

import random
import sqlite3

import pytest

from training.sources.examination import estimate_examination
from training.sources.store import SourceStore

_TRUE = (1.0, 0.6, 0.4, 0.3, 0.2)


def _store(rows: list[tuple[int, str, str, int, int]]) -> SourceStore:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE shown(search INTEGER, query TEXT, product TEXT, position INTEGER, kind INTEGER)")
    connection.executemany("INSERT INTO shown VALUES (?, ?, ?, ?, ?)", rows)
    return SourceStore(connection)


def _log(seed: int, searches: int, shuffled: bool) -> list[tuple[int, str, str, int, int]]:
    """Products of very different appeal, the better ones shown further up; with `shuffled` in changing places."""
    rng = random.Random(seed)
    rows = []
    for number in range(searches):
        query = rng.randrange(20)
        order = [0, 1, 2, 3, 4]
        if shuffled:
            order.sort(key=lambda product: product + rng.gauss(0, 1.5))
        for position, product in enumerate(order, 1):
            clicked = rng.random() < _TRUE[position - 1] * (0.7 - 0.12 * product)
            rows.append((number, f"q{query}", f"p{product}", position, int(clicked)))
    return rows


def test_the_bias_that_made_the_log_is_found() -> None:
    found = estimate_examination(_store(_log(1, 4_000, shuffled=True)), eta=1.0)
    assert found.known == 5
    for position, value in enumerate(_TRUE, 1):
        assert found.at(position) == pytest.approx(value, rel=0.25)
    # Click rates by position alone would call the appeal of what is shown further up bias.
    assert found.at(5) > 0.13
    assert "5 positions told by the log" in found.said()


def test_a_log_without_bias_shows_none() -> None:
    rng = random.Random(2)
    rows = [(s, q, p, k, int(rng.random() < 0.4)) for s, q, p, k, _ in _log(2, 3_000, shuffled=True)]
    found = estimate_examination(_store(rows), eta=1.0)
    assert min(found.at(position) for position in range(1, 6)) > 0.85


def test_a_log_that_always_shows_the_same_order_cannot_tell_and_says_so() -> None:
    found = estimate_examination(_store(_log(3, 3_000, shuffled=False)), eta=0.5)
    assert found.known == 1
    assert found.at(4) == pytest.approx(0.5)
    assert "1/rank^0.5 is assumed" in found.said()


def test_positions_beyond_what_is_known_follow_the_assumption() -> None:
    found = estimate_examination(_store(_log(4, 4_000, shuffled=True)), eta=1.0)
    assert found.at(10) == pytest.approx(found.at(5) / 2)
    assert found.at(0) == 1.0
