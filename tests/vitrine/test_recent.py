"""What was used last is kept, whoever asks for it; for several threads."""

from concurrent.futures import ThreadPoolExecutor

from vitrine.recent import Recent


def test_the_longest_unused_goes_first() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert recent.get("b") is None
    assert recent.items() == [("a", 1), ("c", 3)]
    recent.put("a", 4)
    recent.put("d", 5)
    assert (recent.items(), len(recent)) == ([("a", 4), ("d", 5)], 2)


def test_what_there_is_stays_where_it_may() -> None:
    recent: Recent[str, int] = Recent(2)
    assert recent.setdefault("a", 1) == 1
    assert recent.setdefault("b", 2) == 2
    assert recent.setdefault("a", 3) == 1
    assert recent.setdefault("c", 4) == 4
    assert recent.get_all(["a", "b", "c"]) == {"a": 1, "c": 4}
    recent.remove("a")
    recent.remove("a")
    assert recent.items() == [("c", 4)]


def test_of_no_size_it_keeps_nothing() -> None:
    recent: Recent[str, int] = Recent(0)
    recent.put("a", 1)
    assert recent.setdefault("b", 2) == 2
    assert len(recent) == 0


def test_many_threads() -> None:
    recent: Recent[int, int] = Recent(50)

    def work(seed: int) -> bool:
        for step in range(500):
            number = (seed * 31 + step) % 100
            recent.put(number, number)
            if recent.get(number) not in (number, None):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(recent) == 50
