"""Tables of sorted keys against plain dicts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.retriever.suggest.table import Table, bounds, merged

WIDTH = 6
KEYS = st.text(alphabet="ab蓝", min_size=1, max_size=4)
FILED = st.dictionaries(KEYS, st.lists(st.integers(0, 20), min_size=1, max_size=5), max_size=8)


def content(table: Table) -> dict[bytes, list[int]]:
    """What is filed under each key."""
    return {key: table.filed(place, place + 1).tolist() for place, key in enumerate(table.keys.tolist())}


def expected(*filed: dict[str, list[int]]) -> dict[bytes, list[int]]:
    numbers: dict[bytes, set[int]] = {}
    for one in filed:
        for key, values in one.items():
            numbers.setdefault(key.encode()[:WIDTH], set()).update(values)
    return {key: sorted(values) for key, values in sorted(numbers.items())}


@given(FILED)
def test_a_table_files_each_number_once_under_its_sorted_key(filed: dict[str, list[int]]) -> None:
    table = Table.of(filed, WIDTH)
    assert content(table) == expected(filed)
    assert table.counts(0, len(table.keys)).tolist() == [len(numbers) for numbers in expected(filed).values()]


@given(FILED, KEYS)
def test_keys_are_found_whole_and_by_their_beginning(filed: dict[str, list[int]], text: str) -> None:
    table = Table.of(filed, WIDTH)
    key = text.encode()
    whole = [one for one in table.keys.tolist() if one == key[:WIDTH]]
    begun = [one for one in table.keys.tolist() if one.startswith(key[:WIDTH])]
    assert table.keys[slice(*table.exactly(key))].tolist() == whole
    assert table.keys[slice(*table.beginning(key))].tolist() == begun
    if len(key) < WIDTH:
        for beginning, found in ((False, whole), (True, begun)):
            starts, ends = table.between(*bounds([key, b"a"], WIDTH, beginning=beginning))
            assert table.keys[starts[0] : ends[0]].tolist() == found


@given(FILED, FILED)
def test_a_merged_table_is_the_table_of_all_but_what_is_left_out(
    one: dict[str, list[int]], other: dict[str, list[int]]
) -> None:
    # Odd numbers are left out; those of the other table come after.
    of_one = np.array([number if number % 2 == 0 else -1 for number in range(21)])
    of_other = np.where(of_one >= 0, of_one + 100, -1)
    table = merged([Table.of(one, WIDTH), Table.of(other, WIDTH)], [of_one, of_other])
    kept = [
        {key: [number + more for number in numbers if number % 2 == 0] for key, numbers in filed.items()}
        for filed, more in ((one, 0), (other, 100))
    ]
    assert content(table) == {key: numbers for key, numbers in expected(*kept).items() if numbers}
