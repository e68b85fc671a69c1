"""A long run at a share of the capacity: searches hot and cold, recommendations, events and upserts, all at once."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
import numpy as np
import psutil

from loadtest.faults.findings import Findings, kinds
from loadtest.faults.searches import Load, Outcome, at_rate
from loadtest.mixes import fresh_queries, popular_queries, zipf_draws
from vitrine.messages.product import product_to_message
from vitrine.product import Product
from vitrine.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    common_pb2,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
    search_service_pb2_grpc,
    user_event_pb2,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)
from vitrine.v1.search_service_pb2 import SearchRequest

COLUMNS = ("process", "memory at first, MiB", "at the end", "after warm-up, MiB an hour", "files open", "at the end")
KINDS = ("call", "a second", "failed", "degraded", "p99 ms, after warm-up", "at the end")
# What is kept is bounded small, so that it is full when warm-up ends: what grows then is no cache.
SETTINGS = {
    "VITRINE_GATEWAY_KEPT_ANSWERS_MB": "4",
    "VITRINE_GATEWAY_KEPT_VECTORS": "512",
    "VITRINE_RANKER_KEPT_LOGITS": "2000",
    "VITRINE_RANKER_KEPT_TEXTS": "1000",
    "VITRINE_RETRIEVER_PRODUCT_CACHE": "600",
}
CACHE_BYTES = 6 << 20
_MIB = 1 << 20
_SHARES = {"hot search": 0.48, "cold search": 0.28, "recommendation": 0.12, "events": 0.06, "upsert": 0.06}
_SAMPLE_S, _PURGE_S, _AGAIN_S = 5.0, 10.0, 0.1
_SLOPE_MIB, _FILES, _P99 = 1.0, 8, 1.3
_VISITORS, _POPULAR = 500, 1_000
# Products of one upsert, so many that tombstones are compacted every three minutes, eight times while it warms up: what
# an allocator keeps of freed blocks has to come to rest. They are the same few in turn, and so are their titles: what
# is kept by a text is soon full, too.
_WRITTEN, _CHANGED, _TITLES = 10, 100, 3
_STEPS = (1, 2, 4, 8, 16)
# More callers than a second of the calls of a soak: what as many calls need at a time a process keeps, and where the
# machine slows down for seconds it would take it then.
_CROWD = 64
_REFUSED = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)


class Mix:
    """Calls of every kind over one channel."""

    def __init__(
        self, channel: grpc.aio.Channel, products: Sequence[Product], seed: int, *, cold: int, timeout_s: float = 10.0
    ) -> None:
        """`cold` different queries are asked before the first comes again, when nothing is kept of it any more."""
        self._timeout_s = timeout_s
        self._products = products
        self._search = search_service_pb2_grpc.SearchServiceStub(channel).Search
        self._recommend = recommendation_service_pb2_grpc.RecommendationServiceStub(channel).Recommend
        self._upsert = catalog_service_pb2_grpc.CatalogServiceStub(channel).UpsertProducts
        events = user_event_service_pb2_grpc.UserEventServiceStub(channel)
        self._write, self._list, self._purge = events.WriteUserEvents, events.ListUserEvents, events.PurgeUserEvents
        self._hot = itertools.cycle(zipf_draws(popular_queries(_POPULAR, seed=1), 20_000, seed))
        self._cold = itertools.cycle(fresh_queries(cold, seed))
        self._numbers, self._changes = itertools.count(), itertools.count()
        self.calls: Mapping[str, Callable[[], Any]] = {
            "hot search": lambda: self._search(SearchRequest(query=next(self._hot)), timeout=self._timeout_s),
            "cold search": lambda: self._search(SearchRequest(query=next(self._cold)), timeout=self._timeout_s),
            "recommendation": self._recommended,
            "events": self._reported,
            "upsert": self._upserted,
        }

    async def one(self, kind: str) -> tuple[str, ...]:
        """A call; what its answer was degraded by. Raises RpcError, and ValueError when an item was refused."""
        answer = await self.calls[kind]()
        for outcome in getattr(answer, "outcomes", ()):
            if outcome.status.code:
                raise ValueError(f"{kind}: {outcome.status.message}")
        return tuple(map(common_pb2.Degradation.Name, getattr(answer, "degradations", ())))

    async def fill_lists(self) -> None:
        """Views every product and asks for recommendations beside it, so that lists of the popular are full.

        A gateway keeps one of each category, and each grows until all products were seen: of 2,000 in half an hour.
        """
        for _ in self._products:
            await self._reported()
        for _ in range(2 * len(self._products)):
            await self._recommended()

    async def purge(self) -> None:
        """Drops the events there are, as who exports them does."""
        token = ""
        while True:
            page = await self._list(
                user_event_service_pb2.ListUserEventsRequest(page_size=1_000, page_token=token), timeout=self._timeout_s
            )
            if page.next_page_token == token:
                break
            token = page.next_page_token
        if token:
            await self._purge(user_event_service_pb2.PurgeUserEventsRequest(page_token=token), timeout=self._timeout_s)

    def _recommended(self) -> Any:
        number = next(self._numbers)
        pb = recommendation_service_pb2
        similar = number % 2 == 1
        request = pb.RecommendRequest(
            placement=pb.PLACEMENT_SIMILAR if similar else pb.PLACEMENT_HOME,
            visitor_id=f"visitor-{number % _VISITORS}",
            product_ids=[self._product(number).id] if similar else [],
        )
        return self._recommend(request, timeout=self._timeout_s)

    def _reported(self) -> Any:
        number = next(self._numbers)
        event = user_event_pb2.UserEvent(
            event_id=f"soak-{time.time_ns()}-{number}",
            event_type=user_event_pb2.EVENT_TYPE_VIEW_ITEM,
            visitor_id=f"visitor-{number % _VISITORS}",
            products=[user_event_pb2.EventProduct(product_id=self._product(number).id)],
        )
        event.event_time.GetCurrentTime()
        return self._write(user_event_service_pb2.WriteUserEventsRequest(events=[event]), timeout=self._timeout_s)

    async def _upserted(self) -> Any:
        request = catalog_service_pb2.CatalogServiceUpsertProductsRequest()
        for number in itertools.islice(self._changes, _WRITTEN):
            changed = product_to_message(self._products[number % _CHANGED])
            changed.title = f"{changed.title} {number // _CHANGED % _TITLES}"
            request.products.append(changed)
        answers = [answer async for answer in self._upsert(iter([request]), timeout=self._timeout_s)]
        return answers[0]

    def _product(self, number: int) -> Product:
        return self._products[number * 7 % len(self._products)]


@dataclass(slots=True)
class Watched:
    """Bytes and open files of a process over time."""

    at_s: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)


async def capacity(mix: Mix, step_s: float, steps: Sequence[int] = _STEPS) -> float:
    """Calls of the mix a second that as many callers get answered whole as it takes: more of them get no tenth more."""
    best = 0.0
    for callers in steps:
        kinds_ = itertools.cycle(_in_turn())
        begun_s, answered = time.monotonic(), 0

        async def caller(ends_s: float, kinds_: Any = kinds_) -> int:
            made = 0
            while time.monotonic() < ends_s:
                # Answers that are short of something take less: a share of those leaves no room for whole ones.
                made += not await mix.one(next(kinds_))
            return made

        answered = sum(await asyncio.gather(*(caller(begun_s + step_s) for _ in range(callers))))
        rate = answered / (time.monotonic() - begun_s)
        if rate < 1.1 * best:
            return max(best, rate)
        best = rate
    return best


async def crowd(mix: Mix, seconds: float) -> None:
    """More callers at a time than can be answered, for so long. Raises RpcError, unless it is a refusal."""
    kinds_ = itertools.cycle(_in_turn())
    ends_s = time.monotonic() + seconds

    async def caller() -> None:
        while time.monotonic() < ends_s:
            try:
                await mix.one(next(kinds_))
            except grpc.aio.AioRpcError as error:
                if error.code() not in _REFUSED:
                    raise
                await asyncio.sleep(_AGAIN_S)

    await asyncio.gather(*(caller() for _ in range(_CROWD)))


async def soak(
    mix: Mix,
    processes: Mapping[str, int],
    rate: float,
    *,
    seconds: float,
    warm_up_s: float,
    memory: Findings,
    calls: Findings,
) -> None:
    """So many calls a second for so long, warm-up included; `processes`: ids by name."""
    loads = {kind: Load() for kind in _SHARES}
    begun_s = time.monotonic()

    async def go(kind: str) -> None:
        async with at_rate(rate * _SHARES[kind], lambda _number: mix.one(kind), loads[kind]):
            await asyncio.sleep(seconds)

    async with _watching(processes) as watched, _purging(mix) as unpurged:
        await asyncio.gather(*map(go, loads))
    tell_processes(watched, begun_s + warm_up_s, memory)
    for kind, load in loads.items():
        tell_calls(kind, load, begun_s + warm_up_s, begun_s + seconds, calls)
    calls.hold(not unpurged, f"{len(unpurged)} purges of events failed: {', '.join(sorted(set(unpurged)))}")


def tell_processes(watched: Mapping[str, Watched], warm_s: float, found: Findings) -> None:
    """A row for each process; holds it to a flat memory and flat files after `warm_s`."""
    for name, seen in watched.items():
        warm = next((place for place, at_s in enumerate(seen.at_s) if at_s >= warm_s), 0)
        slope = robust_slope(seen.at_s[warm:], seen.memory[warm:]) * 3_600 / _MIB
        files = seen.files[warm:]
        found.add(
            name,
            f"{seen.memory[warm] / _MIB:,.1f}",
            f"{seen.memory[-1] / _MIB:,.1f}",
            f"{slope:+.2f}",
            str(files[0]),
            str(files[-1]),
        )
        found.hold(slope < _SLOPE_MIB, f"memory of {name} grows by {slope:.2f} MiB an hour")
        grown = float(np.median(files[-len(files) // 4 :]) - np.median(files[: max(1, len(files) // 4)]))
        found.hold(grown <= _FILES, f"{name} has {grown:.0f} files more open than at first")


def tell_calls(kind: str, load: Load, warm_s: float, end_s: float, found: Findings) -> None:
    """A row for a kind of call; holds it to no failure and to a p99 that stays."""
    third_s = (end_s - warm_s) / 3
    first, last = load.since(warm_s, warm_s + third_s), load.since(end_s - third_s)
    failed = load.faults()
    degraded = sum(bool(one.degraded) for one in load.outcomes)
    at_first_ms, at_end_ms = _p99_ms(first), _p99_ms(last)
    whole_s = end_s - min((one.due_s for one in load.outcomes), default=warm_s)
    found.add(
        kind,
        f"{len(load.outcomes) / whole_s:,.1f}",
        str(len(failed)),
        str(degraded),
        f"{at_first_ms:.0f}",
        f"{at_end_ms:.0f}",
    )
    found.hold(not failed, f"{len(failed)} of {kind} failed: {kinds(failed)}")
    found.hold(at_end_ms <= _P99 * at_first_ms, f"p99 of {kind} went from {at_first_ms:.0f} to {at_end_ms:.0f} ms")


def robust_slope(at: Sequence[float], values: Sequence[float]) -> float:
    """How much a value grows in a unit of `at`: the median over all pairs (Theil, 1950; Sen, 1968)."""
    x, y = np.asarray(at, np.float64), np.asarray(values, np.float64)
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first]))) if len(first) else 0.0


def _in_turn() -> list[str]:
    """A hundred calls in the shares of the mix, evenly mixed."""
    each = [kind for kind, share in _SHARES.items() for _ in range(round(100 * share))]
    return [each[place * 37 % len(each)] for place in range(len(each))]


def _p99_ms(outcomes: Sequence[Outcome]) -> float:
    return float(np.percentile([one.took_s * 1e3 for one in outcomes], 99)) if outcomes else 0.0


@asynccontextmanager
async def _watching(processes: Mapping[str, int]) -> AsyncIterator[Mapping[str, Watched]]:
    watched = {name: Watched() for name in processes}
    of = {name: psutil.Process(number) for name, number in processes.items()}

    async def watch() -> None:
        while True:
            for name, process in of.items():
                seen = watched[name]
                seen.at_s.append(time.monotonic())
                seen.memory.append(process.memory_info().rss)
                seen.files.append(process.num_fds())
            await asyncio.sleep(_SAMPLE_S)

    async with _beside(watch()):
        yield watched


@asynccontextmanager
async def _purging(mix: Mix) -> AsyncIterator[Sequence[str]]:
    """Purges until the end; what failed of it."""
    failed: list[str] = []

    async def purge() -> None:
        while True:
            await asyncio.sleep(_PURGE_S)
            try:
                await mix.purge()
            except grpc.aio.AioRpcError as error:
                failed.append(f"{error.code().name}: {error.details()}")

    async with _beside(purge()):
        yield failed


@asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    """Does the work until the end; what it raises is raised then."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()
