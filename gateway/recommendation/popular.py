"""Popular products: what the event store counts, kept for seconds, and what it said last while it is away."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from vitrine.deadline import Deadline
from vitrine.ports import Popularity, PopularProduct

log = structlog.get_logger(__name__)

LIMIT = 300
_KEPT_LISTS = 200
_TRENDS = ("trending", "trending")


@dataclass(slots=True)
class _Known:
    """A list as it was last read, and until when it is taken for the one of now."""

    products: Sequence[PopularProduct]
    current_until: float


class PopularProducts:
    """The first LIMIT products of a list; so many lists are kept: lists change slowly, and reading them is work."""

    def __init__(self, popularity: Popularity | None, kept_s: float) -> None:
        """A list of `kept_s` ago or less is taken for the one of now."""
        self._popularity = popularity
        self._kept_s = kept_s
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    async def read(
        self, category: str = "", country_code: str = "", *, deadline: Deadline
    ) -> tuple[Sequence[PopularProduct], bool]:
        """The list of a category path, of a country, or of all products; and whether it is of now."""
        if self._popularity is None:
            return (), False
        popular = self._popularity.popular
        return await self._current(
            (category, country_code),
            lambda: popular(LIMIT, deadline=deadline, category=category, country_code=country_code),
        )

    async def trending(self, *, deadline: Deadline) -> tuple[Sequence[PopularProduct], bool]:
        """What visitors turn to more than they used to, weights being by how much; and whether it is of now."""
        if self._popularity is None:
            return (), False
        trending = self._popularity.trending
        return await self._current(_TRENDS, lambda: trending(LIMIT, deadline=deadline))

    async def _current(
        self, name: tuple[str, str], read: Callable[[], Awaitable[Sequence[PopularProduct]]]
    ) -> tuple[Sequence[PopularProduct], bool]:
        known = self._known.get(name)
        # What is popular is read until there is something, so that a new shop's first events are seen at once.
        if known is not None and (known.products or name == _TRENDS):
            now = time.monotonic()
            if now < known.current_until:
                return known.products, True
            # One caller reads the list anew; the others do with the one that is there.
            known.current_until = now + self._kept_s
        try:
            found = await read()
        except Exception as error:  # Only the retriever's loss fails a recommendation.
            log.warning("event store away, popularity as last known", error=repr(error))
            if known is None:
                return (), False
            known.current_until = 0.0
            return known.products, False
        self._known[name] = _Known(found, time.monotonic() + self._kept_s)
        self._known.move_to_end(name)
        while len(self._known) > _KEPT_LISTS:
            self._known.popitem(last=False)
        return found, True
