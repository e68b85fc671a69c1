"""Searches by words and vector that begin at a fixed rate, whether or not those before have ended; in one process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from loadtest.index import DIGEST
from loadtest.made_vectors import MadeVectors
from services.retriever.engine import RetrieverEngine
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, ResourceExhausted
from vitrine.ports import RetrievalQuery

_PAGE = 20
_TIMEOUT_S = 10.0
# What is reached of a rate where it holds.
_HELD = 0.98


@dataclass(slots=True)
class Searched:
    """What became of the searches of one part: when each was due and done, in seconds of the clock, and processor
    seconds of the process meanwhile. `lost`: refused or too late."""

    rate: float
    due_s: list[float] = field(default_factory=list)
    done_s: list[float] = field(default_factory=list)
    lost: int = 0
    processor_s: float = 0.0

    @property
    def milliseconds(self) -> list[float]:
        """What each took from the moment it was due."""
        return [(done - due) * 1_000 for due, done in zip(self.due_s, self.done_s, strict=True)]

    @property
    def reached(self) -> float:
        """Searches a second that were answered, until the last one was."""
        return len(self.done_s) / (max(self.done_s) - min(self.due_s) + 1 / self.rate)

    @property
    def held(self) -> bool:
        """Whether the rate was reached and none was lost."""
        return not self.lost and self.reached >= _HELD * self.rate

    def within(self, begin: float, end: float) -> list[float]:
        """Milliseconds of those that ran between two moments of the clock."""
        each = zip(self.due_s, self.done_s, self.milliseconds, strict=True)
        return [took for due, done, took in each if due < end and done > begin]


class SteadySearches:
    """Queries of the sample's shoppers, a page of 20 of 200 candidates each."""

    def __init__(self, engine: RetrieverEngine, made: MadeVectors, rate: float) -> None:
        self._engine = engine
        self._made = made
        self._rate = rate
        self._numbers = count()

    async def beside(self, work: Callable[[], Awaitable[None]]) -> Searched:
        """Searches until the work is done, and what became of them."""
        searched = Searched(self._rate)
        begun, begun_processor_s = time.perf_counter(), time.process_time()
        working = asyncio.ensure_future(work())
        searches: set[asyncio.Task[None]] = set()
        for place in count():
            due = begun + place / self._rate
            await asyncio.wait({working}, timeout=max(0.0, due - time.perf_counter()))
            if working.done():
                break
            one = asyncio.create_task(self._search(searched, due))
            searches.add(one)
            one.add_done_callback(searches.discard)
        await asyncio.gather(working, *searches)
        searched.processor_s = time.process_time() - begun_processor_s
        return searched

    async def during(self, duration_s: float) -> Searched:
        """Searches for so long, alone."""
        return await self.beside(lambda: asyncio.sleep(duration_s))

    async def _search(self, searched: Searched, due: float) -> None:
        place = next(self._numbers) % len(self._made.texts)
        query = RetrievalQuery(
            text=self._made.texts[place],
            vector=self._made.queries[place],
            model_digest=DIGEST,
            product_limit=_PAGE,
        )
        try:
            await self._engine.retrieve(query, deadline=Deadline.after(_TIMEOUT_S))
        except (ResourceExhausted, DeadlineExceeded):
            searched.lost += 1
            return
        searched.due_s.append(due)
        searched.done_s.append(time.perf_counter())
