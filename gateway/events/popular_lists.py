"""The lists of what visitors turn to, read from the event store."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.events.connection import Connection
from gateway.events.popularity import LATELY, Decay, risen, segment
from vitrine.deadline import Deadline
from vitrine.errors import invalid
from vitrine.ports import PopularProduct


class PopularLists:
    """Implements the port `Popularity`; `start` is how the names of all counts begin."""

    def __init__(self, connection: Connection, start: str, decay: Decay, trend_decay: Decay) -> None:
        self._connection = connection
        self._start = start
        self._decay = decay
        self._trend_decay = trend_decay

    def key(self, decay: Decay, era: int, name: str) -> str:
        """The key of a segment's counts in an era."""
        return f"{self._start}:{decay.name}:{era}:{name}"

    async def popular(
        self, limit: int, *, deadline: Deadline, category: str = "", country_code: str = ""
    ) -> tuple[PopularProduct, ...]:
        """See `vitrine.ports.Popularity.popular`."""
        if category and country_code:
            raise invalid("country_code", "is set beside category; popularity is of one of them")
        weights = await self._heaviest(self._decay, segment(category, country_code), limit, deadline)
        return _listed(weights, limit)

    async def trending(self, limit: int, *, deadline: Deadline) -> tuple[PopularProduct, ...]:
        """See `vitrine.ports.Popularity.trending`."""
        lately = await self._heaviest(self._trend_decay, LATELY, limit, deadline)
        if not lately:
            return ()
        usual = await self._weights(self._decay, segment(), list(lately), deadline)
        return _listed(risen(lately, usual), limit)

    async def _heaviest(self, decay: Decay, name: str, limit: int, deadline: Deadline) -> dict[str, float]:
        """Weights of now of the heaviest products of a segment, in no order."""
        now, weights = datetime.now(UTC), dict[str, float]()
        for era in (decay.era(now), decay.era(now) - 1):
            if share := decay.share(era, now):
                command = self._connection.redis.zrange(
                    self.key(decay, era, name), 0, limit - 1, desc=True, withscores=True
                )
                for product, units in await self._connection.reply(command, deadline):
                    weights[product.decode()] = weights.get(product.decode(), 0.0) + units * share
        return weights

    async def _weights(self, decay: Decay, name: str, ids: Sequence[str], deadline: Deadline) -> dict[str, float]:
        """Weights of now of these products in a segment."""
        now, weights = datetime.now(UTC), dict.fromkeys(ids, 0.0)
        for era in (decay.era(now), decay.era(now) - 1):
            if share := decay.share(era, now):
                command = self._connection.redis.zmscore(self.key(decay, era, name), list(ids))
                for product_id, units in zip(ids, await self._connection.reply(command, deadline), strict=True):
                    weights[product_id] += (units or 0.0) * share
        return weights


def _listed(weights: dict[str, float], limit: int) -> tuple[PopularProduct, ...]:
    heaviest = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple(PopularProduct(*item) for item in heaviest[:limit])
