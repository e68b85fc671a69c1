"""Popular products: what the event store counts, and what it said last while it is away."""

from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from vitrine.deadline import Deadline
from vitrine.ports import Popularity, PopularProduct

log = structlog.get_logger(__name__)

LIMIT = 300
_KEPT_LISTS = 200
_TRENDING = "trending"


class PopularProducts:
    """The first LIMIT products of a list; so many lists are kept for when the store is away."""

    def __init__(self, popularity: Popularity | None) -> None:
        self._popularity = popularity
        self._known: OrderedDict[tuple[str, str], Sequence[PopularProduct]] = OrderedDict()

    async def read(
        self, category: str = "", country_code: str = "", *, deadline: Deadline
    ) -> tuple[Sequence[PopularProduct], bool]:
        """The list of a category path, of a country, or of all products; and whether it is of now."""
        if self._popularity is None:
            return (), False
        call = self._popularity.popular(LIMIT, deadline=deadline, category=category, country_code=country_code)
        return await self._current((category, country_code), call)

    async def trending(self, *, deadline: Deadline) -> tuple[Sequence[PopularProduct], bool]:
        """What visitors turn to more than they used to, weights being by how much; and whether it is of now."""
        if self._popularity is None:
            return (), False
        return await self._current((_TRENDING, _TRENDING), self._popularity.trending(LIMIT, deadline=deadline))

    async def _current(
        self, name: tuple[str, str], call: Coroutine[Any, Any, Sequence[PopularProduct]]
    ) -> tuple[Sequence[PopularProduct], bool]:
        try:
            found = await call
        except Exception as error:  # Only the retriever's loss fails a recommendation.
            log.warning("event store away, popularity as last known", error=repr(error))
            return self._known.get(name, ()), False
        self._known[name] = found
        self._known.move_to_end(name)
        while len(self._known) > _KEPT_LISTS:
            self._known.popitem(last=False)
        return found, True
