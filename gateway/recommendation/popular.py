"""Popular products: what the event store counts, kept for seconds, and what it said last while it is away."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from vitrine.deadline import Deadline
from vitrine.ports import Popularity, PopularProduct

log = structlog.get_logger(__name__)

LIMIT = 300
_KEPT_LISTS = 200
_EVERYWHERE, _TRENDS = ("", ""), ("trending", "trending")


@dataclass(frozen=True, slots=True)
class Counted:
    """Weights of products by id, heaviest first, and the same beside the heaviest, in (0, 1]."""

    weights: Mapping[str, float] = field(default_factory=dict)
    relative: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, products: Sequence[PopularProduct]) -> "Counted":
        """What a list says."""
        weights = {one.product_id: one.weight for one in products}
        heaviest = max(weights.values(), default=0.0)
        return cls(weights, {one: weight / heaviest for one, weight in weights.items()} if heaviest > 0 else {})


@dataclass(slots=True)
class _Known:
    """A list as it was last read, and until when it is taken for the one of now."""

    counted: Counted
    current_until: float


class PopularProducts:
    """The first LIMIT products of a list; so many lists are kept: lists change slowly, and reading them is work."""

    def __init__(self, popularity: Popularity | None, kept_s: float) -> None:
        """A list of `kept_s` ago or less is taken for the one of now."""
        self._popularity = popularity
        self._kept_s = kept_s
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    def kept(self, category: str = "", country_code: str = "") -> Counted | None:
        """What `read` gives where it does not ask the store; None where it would."""
        return self._kept((category, country_code))

    def kept_trending(self) -> Counted | None:
        """The same of `trending`."""
        return self._kept(_TRENDS)

    async def read(self, category: str = "", country_code: str = "", *, deadline: Deadline) -> tuple[Counted, bool]:
        """The list of a category path, of a country, or of all products; and whether it is of now."""
        if self._popularity is None:
            return Counted(), False
        popular = self._popularity.popular
        return await self._current(
            (category, country_code),
            lambda: popular(LIMIT, deadline=deadline, category=category, country_code=country_code),
        )

    async def trending(self, *, deadline: Deadline) -> tuple[Counted, bool]:
        """What visitors turn to more than they used to, weights being by how much; and whether it is of now."""
        if self._popularity is None:
            return Counted(), False
        trending = self._popularity.trending
        return await self._current(_TRENDS, lambda: trending(LIMIT, deadline=deadline))

    def _kept(self, name: tuple[str, str]) -> Counted | None:
        known = self._known.get(name)
        # That of everything is read until there is something: a new shop's first events are seen at once.
        if known is None or not (known.counted.weights or name != _EVERYWHERE):
            return None
        return known.counted if time.monotonic() < known.current_until else None

    async def _current(
        self, name: tuple[str, str], read: Callable[[], Awaitable[Sequence[PopularProduct]]]
    ) -> tuple[Counted, bool]:
        if (kept := self._kept(name)) is not None:
            return kept, True
        if (known := self._known.get(name)) is not None:
            # One caller reads the list anew; the others do with the one that is there.
            known.current_until = time.monotonic() + self._kept_s
        try:
            found = Counted.of(await read())
        except Exception as error:  # Only the retriever's loss fails a recommendation.
            log.warning("event store away, popularity as last known", error=repr(error))
            if known is None:
                return Counted(), False
            known.current_until = 0.0
            return known.counted, False
        self._known[name] = _Known(found, time.monotonic() + self._kept_s)
        self._known.move_to_end(name)
        while len(self._known) > _KEPT_LISTS:
            self._known.popitem(last=False)
        return found, True
