"""How often each query was asked, found nothing, or was found by meaning alone: counted beside searches.

A search adds to a dictionary of this process, and nothing else; every few seconds what is there goes to the event
store, where all gateways' counts are one. Kept are words alone, never who said them. Counts fade by forward decay, as
popularity does: a search counts half as much with each day, and one that nobody repeats is forgotten after a week.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from redis.exceptions import ResponseError

from gateway.events.connection import Connection
from gateway.events.popularity import FORGOTTEN_HALF_LIVES, Decay, asked_query
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, VitrineError
from vitrine.v1 import search_service_pb2 as search

SEARCHES, NO_RESULTS, NO_WORDS = KINDS = ("searches", "no_results", "no_words")
_EVERY_S = 5.0
_WRITE_TIMEOUT_S = 5.0
# A gateway that ends has little time.
_LAST_WRITE_TIMEOUT_S = 1.0
# Different queries that wait to be written; of more, those that come last are not counted.
_MOST_WAITING = 5_000
_AT_ONCE = 500
_MOST_KEPT = 10_000
_FORGOTTEN_DAYS = 7

log = structlog.get_logger(__name__)

_Counts = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class QueryCount:
    """A normalised query and its weights of now: of all searches, of those without results, and without its words."""

    query: str
    searches: float
    no_results: float
    no_words: float


class QueryCounts:
    """Counts searches; `prefix` is how the event store's keys begin."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        # In the event store's slot of a Redis Cluster.
        self._start = f"{{{prefix}}}:events:ops"
        self._decay = Decay(half_life_days=1.0)
        self._waiting: _Counts = {}
        self._writing: asyncio.Task[None] | None = None
        self._is_away = False

    def count(self, request: search.SearchRequest, answer: search.SearchResponse) -> None:
        """Counts a search that was answered; not its later pages, nor what has no words."""
        if request.page_token or not request.query:
            return
        counts = self._waiting.get(request.query)
        if counts is None:
            if len(self._waiting) >= _MOST_WAITING:
                return
            counts = self._waiting[request.query] = [0, 0, 0]
        counts[0] += 1
        if not answer.results:
            counts[1] += 1
        elif not _has_words(answer):
            counts[2] += 1
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_later(), name="query counts")

    async def listed(self, kind: str, limit: int, *, deadline: Deadline) -> list[QueryCount]:
        """The queries of most weight of a kind, this process's counts up to now among them.

        Raises Unavailable and DeadlineExceeded.
        """
        # Where that fails for another reason than that nobody is there, what was written before is listed.
        await self._try_to_write(deadline)
        now, weights = datetime.now(UTC), dict[str, dict[str, float]]()
        eras = [era for era in (self._decay.era(now), self._decay.era(now) - 1) if self._decay.share(era, now)]
        for era in eras:
            command = self._connection.redis.zrange(self._key(era, kind), 0, limit - 1, desc=True)
            for query in await self._connection.reply(command, deadline):
                weights.setdefault(query.decode(), dict.fromkeys(KINDS, 0.0))
        for era in eras if weights else ():
            share = self._decay.share(era, now)
            pipeline = self._connection.redis.pipeline(transaction=False)
            for one in KINDS:
                pipeline.zmscore(self._key(era, one), list(weights))
            for one, units in zip(KINDS, await self._connection.reply(pipeline.execute(), deadline), strict=True):
                for query, unit in zip(weights, units, strict=True):
                    weights[query][one] += (unit or 0.0) * share
        heaviest = sorted(weights.items(), key=lambda pair: (-pair[1][kind], pair[0]))[:limit]
        return [QueryCount(query, **found) for query, found in heaviest]

    async def close(self) -> None:
        """Writes what waits, where the store is there."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing})
        if self._waiting and not self._is_away:
            await self._try_to_write(Deadline.after(_LAST_WRITE_TIMEOUT_S))

    async def _write_later(self) -> None:
        while self._waiting:
            await asyncio.sleep(_EVERY_S)
            await self._try_to_write(Deadline.after(_WRITE_TIMEOUT_S))
        self._writing = None

    async def _try_to_write(self, deadline: Deadline) -> None:
        try:
            await self._write(deadline)
            self._is_away = False
        except (VitrineError, ResponseError) as error:
            if not self._is_away:
                log.warning("queries are counted in this process, the event store does not take them", error=str(error))
            self._is_away = True

    async def _write(self, deadline: Deadline) -> None:
        """Moves what waits to the store; what it does not take goes on waiting, but for what may be there already.

        Raises Unavailable, DeadlineExceeded, and ResponseError where it is full.
        """
        waiting, self._waiting = self._waiting, {}
        counts = [(asked, count) for query, count in waiting.items() if (asked := asked_query(query))]
        now = datetime.now(UTC)
        era, growth = self._decay.era(now), self._decay.growth(now)
        while counts:
            some = counts[:_AT_ONCE]
            pipeline = self._connection.redis.pipeline(transaction=False)
            for query, count in some:
                for kind, number in zip(KINDS, count, strict=True):
                    if number:
                        pipeline.zincrby(self._key(era, kind), number * growth, query.encode("utf-8", "replace"))
            try:
                await self._connection.reply(pipeline.execute(), deadline)
            except (VitrineError, ResponseError) as error:
                self._wait_on(counts[_AT_ONCE:] if isinstance(error, DeadlineExceeded) else counts)
                raise
            counts = counts[_AT_ONCE:]
        await self._forget(era, growth, deadline)

    async def _forget(self, era: int, growth: float, deadline: Deadline) -> None:
        pipeline = self._connection.redis.pipeline(transaction=False)
        for kind in KINDS:
            key = self._key(era, kind)
            pipeline.zremrangebyscore(key, "-inf", growth * 2**-_FORGOTTEN_DAYS)
            pipeline.zremrangebyrank(key, 0, -1 - _MOST_KEPT)
            pipeline.expire(key, round(FORGOTTEN_HALF_LIVES * self._decay.half_life_s))
        await self._connection.reply(pipeline.execute(), deadline)

    def _wait_on(self, counts: list[tuple[str, list[int]]]) -> None:
        for query, count in counts:
            if query in self._waiting or len(self._waiting) < _MOST_WAITING:
                before = self._waiting.get(query, [0, 0, 0])
                self._waiting[query] = [one + other for one, other in zip(before, count, strict=True)]

    def _key(self, era: int, kind: str) -> str:
        return f"{self._start}:{era}:{kind}"


def _has_words(answer: search.SearchResponse) -> bool:
    """Whether a result holds a word of the query; also where nobody says, as in sorted lists."""
    told = False
    for result in answer.results:
        for source in result.sources:
            if source.source != "dense" and source.rank:
                return True
            told = True
    return not told
