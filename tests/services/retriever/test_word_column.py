"""Columns of one key: what readers see of them, and the first number of each version."""

import numpy as np
import pytest

from services.retriever.conditions import Beginning, OneOf, Present, Under
from services.retriever.field_sheet import WordValues
from services.retriever.word_column import NumberColumn, WordColumn


def extend(column: WordColumn, owners: list[int], words: list[str]) -> None:
    values = WordValues.of(owners, words)
    column.extend(values.owners, values.codes, values.words)


@pytest.mark.parametrize("asked", [1, 40])
def test_of_several_numbers_the_first_is_told(asked: int) -> None:
    """Of a few versions and of all, which are looked up in different ways."""
    column = NumberColumn()
    column.extend(np.array([1, 1, 3, 38], np.int32), np.array([5.0, 4.0, 7.0, 9.0]))
    positions = np.arange(40) if asked == 40 else np.array([1])
    expected = np.full(40, np.nan)
    expected[[1, 3, 38]] = 5.0, 7.0, 9.0
    np.testing.assert_array_equal(column.each(positions, 40), expected[positions])
    np.testing.assert_array_equal(column.each(np.array([38]), 38), [np.nan])
    np.testing.assert_array_equal(NumberColumn().each(np.array([0, 1]), 2), [np.nan, np.nan])


def test_words_are_found_however_they_are_written() -> None:
    column = WordColumn("categories")
    extend(column, [0, 1, 1, 2, 3], ["A > B", "a>b", "C", "ab", "A"])
    _, codes = column.between(0, 4)
    assert column.words == ["A > B", "a>b", "C", "ab", "A"]
    for leaf, expected in (
        (OneOf("categories", frozenset({"a > b"})), [True, True, False, False, False]),
        (Under("categories", frozenset({"a", "c"})), [True, True, True, False, True]),
        (Beginning("categories", "a"), [True, True, False, True, True]),
        (Present("categories"), [True] * 5),
        (OneOf("categories", frozenset({"d"})), [False] * 5),
    ):
        assert column.hits(leaf, codes).tolist() == expected


def test_what_is_taken_over_is_the_same_without_what_was_left() -> None:
    column, taken = WordColumn("brand"), WordColumn("brand")
    extend(column, [0, 2, 3, 3, 5], ["Acme", "Zeta", "ACME", "Nova", "Zeta"])
    extend(taken, [0], ["Nova"])
    taken.take(column, np.array([2, 3, 4]), 7, lambda: None)
    owners, codes = taken.between(0, 100)
    assert [(owner, taken.words[code]) for owner, code in zip(owners.tolist(), codes.tolist(), strict=True)] == [
        (0, "Nova"),
        (7, "Zeta"),
        (8, "ACME"),
        (8, "Nova"),
    ]
    assert "Acme" not in taken.words
