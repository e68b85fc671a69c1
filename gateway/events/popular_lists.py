"""The lists of what visitors turn to, read from the event store."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.events.connection import Connection
from gateway.events.popularity import LATELY, QUERIES, Decay, risen, segment
from vitrine.deadline import Deadline
from vitrine.errors import invalid
from vitrine.ports import PopularProduct

_QUERIES_AT_ONCE = 2_000


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

    async def queries(self, least_weight: float, limit: int, *, deadline: Deadline) -> dict[str, float]:
        """Queries that weigh at least so much and their weights of now, at most `limit`, the heaviest first.

        A visitor who asked a query today gives it 1, which halves with each half-life: what has a weight above 2 was
        asked by 3 visitors or more.
        """
        now, weights = datetime.now(UTC), dict[str, float]()
        for era in (self._decay.era(now), self._decay.era(now) - 1):
            share = self._decay.share(era, now)
            # In parts: to read a long reply holds up the event loop.
            for start in range(0, limit if share else 0, _QUERIES_AT_ONCE):
                command = self._connection.redis.zrevrangebyscore(
                    self.key(self._decay, era, QUERIES),
                    "+inf",
                    least_weight / share,
                    start=start,
                    num=min(_QUERIES_AT_ONCE, limit - start),
                    withscores=True,
                )
                found = await self._connection.reply(command, deadline)
                for query, units in found:
                    weights[query.decode()] = weights.get(query.decode(), 0.0) + units * share
                if len(found) < _QUERIES_AT_ONCE:
                    break
        heaviest = sorted(weights.items(), key=lambda one: (-one[1], one[0]))
        return dict(heaviest[:limit])

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
