"""Popularity as it is now and as it was last known."""

import tracemalloc

from gateway.recommendation.popular import PopularProducts
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable
from vitrine.ports import PopularProduct


class Counted:
    """The port: any category has five products."""

    error: Exception | None = None

    async def popular(
        self, limit: int, *, deadline: Deadline, category: str = "", country_code: str = ""
    ) -> tuple[PopularProduct, ...]:
        if self.error is not None:
            raise self.error
        return tuple(PopularProduct(f"{category}{number}", 1.0) for number in range(min(limit, 5)))


async def test_what_was_last_known_is_told_apart_from_what_is_now() -> None:
    port = Counted()
    popular = PopularProducts(port)
    found, is_current = await popular.read("a", deadline=Deadline.after(9))
    assert (len(found), is_current) == (5, True)
    port.error = Unavailable("away")
    assert await popular.read("a", deadline=Deadline.after(9)) == (found, False)
    assert await popular.read("b", deadline=Deadline.after(9)) == ((), False)
    assert await PopularProducts(None).read("a", deadline=Deadline.after(9)) == ((), False)


async def test_155_memory_does_not_grow_with_each_miss() -> None:
    popular = PopularProducts(Counted())

    async def misses(first: int, count: int) -> int:
        for number in range(first, first + count):
            await popular.read(f"category {number:06} ", deadline=Deadline.after(9))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early = await misses(0, 5_000)
        late = await misses(5_000, 5_000)
    finally:
        tracemalloc.stop()
    assert late < early * 1.05
