"""Popularity as it is now and as it was last known."""

import gc
import tracemalloc

from gateway.recommendation.popular import Counted, PopularProducts
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable
from vitrine.ports import PopularProduct


class Port:
    """The port: any category has so many products."""

    error: Exception | None = None
    products, reads = 5, 0

    async def popular(
        self, limit: int, *, deadline: Deadline, category: str = "", country_code: str = ""
    ) -> tuple[PopularProduct, ...]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return tuple(PopularProduct(f"{category}{number}", 1.0) for number in range(self.products))


async def test_what_was_last_known_is_told_apart_from_what_is_now() -> None:
    port = Port()
    popular = PopularProducts(port, kept_s=0)
    found, is_current = await popular.read("a", deadline=Deadline.after(9))
    assert (len(found.weights), is_current) == (5, True)
    port.error = Unavailable("away")
    assert await popular.read("a", deadline=Deadline.after(9)) == (found, False)
    assert await popular.read("b", deadline=Deadline.after(9)) == (Counted(), False)
    assert await PopularProducts(None, kept_s=9).read("a", deadline=Deadline.after(9)) == (Counted(), False)


async def test_an_empty_list_of_a_category_is_kept_and_that_of_everything_is_read_until_it_is_filled() -> None:
    port = Port()
    port.products = 0
    popular = PopularProducts(port, kept_s=60)
    for category, reads in (("a", 1), ("a", 1), ("", 2), ("", 3)):
        assert await popular.read(category, deadline=Deadline.after(9)) == (Counted(), True)
        assert port.reads == reads


def test_weights_are_told_beside_the_heaviest() -> None:
    counted = Counted.of([PopularProduct("a", 4.0), PopularProduct("b", 1.0)])
    assert counted == Counted({"a": 4.0, "b": 1.0}, {"a": 1.0, "b": 0.25})
    assert Counted.of([]) == Counted()


async def test_a_list_is_read_anew_only_when_it_is_old() -> None:
    port = Port()
    popular = PopularProducts(port, kept_s=60)
    found, _ = await popular.read("a", deadline=Deadline.after(9))
    port.error = Unavailable("away")
    assert await popular.read("a", deadline=Deadline.after(9)) == (found, True)
    assert port.reads == 1


async def test_what_cannot_be_read_is_asked_for_again_and_takes_no_memory() -> None:
    port = Port()
    port.error = Unavailable("away")
    popular = PopularProducts(port, kept_s=60)
    for _ in range(3):
        assert await popular.read("a", deadline=Deadline.after(9)) == (Counted(), False)
    assert port.reads == 3
    assert not popular._known


async def test_155_memory_does_not_grow_with_each_miss() -> None:
    popular = PopularProducts(Port(), kept_s=9)

    async def misses(first: int, count: int) -> int:
        for number in range(first, first + count):
            await popular.read(f"category {number:06} ", deadline=Deadline.after(9))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early = await misses(0, 5_000)
        late = await misses(5_000, 5_000)
    finally:
        tracemalloc.stop()
    # A name alone, kept for each miss, would take more than 64 bytes; the interpreter's own comes and goes in kB.
    assert late - early < 5_000 * 64
