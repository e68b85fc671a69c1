"""Popular products: what the event store counts, and what it said last while it is away."""

from collections import OrderedDict
from collections.abc import Sequence

import structlog

from vitrine.deadline import Deadline
from vitrine.ports import Popularity, PopularProduct

log = structlog.get_logger(__name__)

LIMIT = 300
_KEPT_LISTS = 200


class PopularProducts:
    """The first LIMIT products of all or of a category; so many lists are kept for when the store is away."""

    def __init__(self, popularity: Popularity | None) -> None:
        self._popularity = popularity
        self._known: OrderedDict[str, Sequence[PopularProduct]] = OrderedDict()

    async def read(self, category: str, *, deadline: Deadline) -> tuple[Sequence[PopularProduct], bool]:
        """The list of a category path, "" for all products; and whether it is of now."""
        try:
            if self._popularity is None:
                return (), False
            found = await self._popularity.popular(LIMIT, deadline=deadline, category=category)
        except Exception as error:  # Only the retriever's loss fails a recommendation.
            log.warning("event store away, popularity as last known", error=repr(error))
            return self._known.get(category, ()), False
        self._known[category] = found
        self._known.move_to_end(category)
        while len(self._known) > _KEPT_LISTS:
            self._known.popitem(last=False)
        return found, True
