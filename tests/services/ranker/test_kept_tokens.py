"""Tokens kept between queries: bounded, by version, never another text's."""

from array import array
from concurrent.futures import ThreadPoolExecutor

from services.ranker.kept_tokens import KeptTokens, TextTokens

ONE = TextTokens(array("i", [1]), 1)
TWO = TextTokens(array("i", [2]), 1)


def test_by_id_and_revision() -> None:
    kept = KeptTokens(10)
    kept.put("a", 1, "one", ONE)
    kept.put("a", 2, "two", TWO)
    assert kept.get("a", 1, "one") is ONE
    assert kept.get("a", 2, "two") is TWO
    assert kept.get("a", 3, "three") is None
    assert kept.get("b", 1, "one") is None


def test_the_least_used_leaves_first() -> None:
    kept = KeptTokens(2)
    kept.put("a", 1, "one", ONE)
    kept.put("b", 1, "two", TWO)
    assert kept.get("a", 1, "one") is ONE
    kept.put("c", 1, "two", TWO)
    assert kept.get("b", 1, "two") is None
    assert kept.get("a", 1, "one") is ONE
    assert kept.get("c", 1, "two") is TWO


def test_revision_0_and_limit_0_keep_nothing() -> None:
    kept = KeptTokens(10)
    kept.put("a", 0, "one", ONE)
    assert kept.get("a", 0, "one") is None
    none = KeptTokens(0)
    none.put("a", 1, "one", ONE)
    assert none.get("a", 1, "one") is None


def test_the_same_revision_of_another_catalogue_is_another_text() -> None:
    kept = KeptTokens(10)
    kept.put("a", 1, "one", ONE)
    assert kept.get("a", 1, "two") is None
    kept.put("a", 1, "two", TWO)
    assert kept.get("a", 1, "two") is TWO
    assert kept.get("a", 1, "one") is None


def test_many_threads() -> None:
    kept = KeptTokens(50)

    def work(seed: int) -> bool:
        for step in range(500):
            number = (seed * 31 + step) % 100
            text = f"text {number}"
            kept.put(f"p{number}", 1, text, TextTokens(array("i", [number]), 1))
            found = kept.get(f"p{number}", 1, text)
            if found is not None and found.ids[0] != number:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
