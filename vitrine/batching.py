"""The batcher: puts what waits into one run of a model, bounded in tokens, of like lengths, live before bulk."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import structlog
from opentelemetry.trace import Span
from prometheus_client import Counter, Gauge, Histogram
from pydantic import BaseModel, Field

from vitrine.batch_queue import BatchCall, Entry, ItemT, Queue, ResultT
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal, ResourceExhausted, Unavailable, VitrineError
from vitrine.ports import Lane
from vitrine.tracing import past_span

_log = structlog.get_logger("vitrine.batching")

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_BATCH_ITEMS = Histogram("vitrine_batch_items", "Items in one run of the model", ["model"], buckets=_SIZES)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_BATCH_SECONDS = Histogram("vitrine_batch_seconds", "One run of the model", ["model"], buckets=_SECONDS)
_TOKENS = Counter("vitrine_batch_tokens", "Tokens given to the model", ["model", "kind"])
_DROPPED = Counter("vitrine_batch_dropped_items", "Items left before the model saw them", ["model", "reason"])
_REFUSED = Counter("vitrine_batch_refused_items", "Items refused because the queue was full", ["model"])
_WAIT_SECONDS = Histogram(
    "vitrine_batch_wait_seconds", "What a call waited for the model", ["model", "lane"], buckets=_SECONDS
)
_WAITING = Gauge("vitrine_batch_waiting_tokens", "Tokens that wait for the model", ["model", "lane"])


class BatchSettings(BaseModel):
    """Bounds of a batcher, in tokens, padding counted."""

    max_batch_tokens: int = Field(default=1024, ge=8, description="tokens of one model run, padding included")
    max_queue_tokens: int = Field(default=131_072, ge=8, description="tokens that may wait in one lane")
    max_padding_ratio: float = Field(default=1.5, ge=1, description="tokens with padding over tokens without")
    bulk_share: int = Field(default=8, ge=2, description="one batch in so many is bulk while both lanes wait")


@dataclass(frozen=True, slots=True)
class _Run(Generic[ResultT]):
    """One run of the model: what it gave, and when it began and ended, as `time.perf_counter` says."""

    results: Sequence[ResultT]
    started_s: float
    ended_s: float


class Batcher(Generic[ItemT, ResultT]):
    """Runs `compute` on batches of what several callers submitted.

    A batch starts at once when the model is idle: nobody waits for company. While it runs, what arrives forms the
    next one. An item whose caller has gone or is out of time leaves the queue. `compute` gets items of one lane in
    any order, runs in the budget's model thread, and returns a result for each; what it raises goes to the callers of
    that batch alone, so a fault of one item is better returned as its result.
    """

    def __init__(
        self,
        model: str,
        compute: Callable[[Sequence[ItemT]], Sequence[ResultT]],
        budget: ComputeBudget,
        settings: BatchSettings,
        *,
        few_tokens: int = 0,
    ) -> None:
        """A live call of at most `few_tokens` that finds no model at work is computed on the event loop.

        That is for so few that a thread takes longer to be handed them than to compute them.
        """
        self._model = model
        self._compute = compute
        self._budget = budget
        self._settings = settings
        self._few_tokens = few_tokens
        self._queues: dict[Lane, Queue[ItemT, ResultT]] = {lane: Queue() for lane in Lane}
        self._orders = itertools.count()
        self._live_batches = 0
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._seconds_per_token = 1e-4

    async def submit(
        self, items: Sequence[ItemT], tokens: Sequence[int], *, deadline: Deadline, lane: Lane = Lane.LIVE
    ) -> list[ResultT]:
        """The results of `items`, in order; `tokens` says how long each is.

        Raises ResourceExhausted when the lane's queue has no room (retry after a while; without a retry time the call
        alone is over the limit), DeadlineExceeded, Unavailable after `close`, and Internal when `compute` raised.
        """
        deadline.check("the model")
        if self._closed:
            raise Unavailable("this process is shutting down")
        if not items:
            return []
        self._admit(len(items), sum(tokens), lane)
        loop = asyncio.get_running_loop()
        call: BatchCall[ResultT] = BatchCall([None] * len(items), loop.create_future(), deadline, len(items))
        entries = [
            Entry(item, length, next(self._orders), index, call)
            for index, (item, length) in enumerate(zip(items, tokens, strict=True))
        ]
        if lane is Lane.LIVE and sum(tokens) <= self._few_tokens and self._budget.is_idle:
            await self._run(entries, lane, here=True)
            await call.done
            return call.results  # type: ignore[return-value]  # as below
        queue = self._queues[lane]
        for entry in entries:
            queue.add(entry)
        self._show_waiting(lane)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await call.done
        except TimeoutError:
            self._drop(entries, lane, "deadline")
            raise DeadlineExceeded(f"no time left while waiting for {self._model}") from None
        except asyncio.CancelledError:
            self._drop(entries, lane, "cancelled")
            raise
        except Exception:
            self._drop(entries, lane, "failed")
            raise
        return call.results  # type: ignore[return-value]  # every position is filled when `done` is

    async def close(self) -> None:
        """Lets the batch that runs end; who still waits gets Unavailable."""
        self._closed = True
        for queue in self._queues.values():
            calls = {entry.call for group in queue.by_length.values() for entry in group.values()}
            for call in calls:
                _fail(call, Unavailable("this process is shutting down"))
        if self._worker is not None:
            await self._worker

    def _admit(self, items: int, tokens: int, lane: Lane) -> None:
        limit = self._settings.max_queue_tokens
        waiting = self._queues[lane].tokens
        if waiting + tokens <= limit:
            return
        _REFUSED.labels(self._model).inc(items)
        if tokens > limit:
            raise ResourceExhausted(
                f"one call of {tokens} tokens is over the queue's limit of {limit}; send fewer texts in a call",
                reason="BATCH_TOO_LARGE",
            )
        raise ResourceExhausted(
            f"{waiting} tokens wait for {self._model} and {tokens} more are over the limit of {limit}",
            reason="QUEUE_FULL",
            retry_after_s=min(30.0, max(0.05, waiting * self._seconds_per_token)),
        )

    def _drop(self, entries: Sequence[Entry[ItemT, ResultT]], lane: Lane, reason: str) -> None:
        left = sum(self._queues[lane].remove(entry) for entry in entries)
        _DROPPED.labels(self._model, reason).inc(left)
        self._show_waiting(lane)

    def _show_waiting(self, lane: Lane) -> None:
        _WAITING.labels(self._model, lane.value).set(self._queues[lane].tokens)

    async def _work(self) -> None:
        """Runs batches until nothing waits."""
        while (lane := self._next_lane()) is not None:
            batch = self._take(lane)
            if batch:
                await self._run(batch, lane)

    def _next_lane(self) -> Lane | None:
        live, bulk = self._queues[Lane.LIVE].by_length, self._queues[Lane.BULK].by_length
        if live and bulk:
            # Bulk work never starves behind live work without end, and costs it at most one batch in `bulk_share`.
            self._live_batches = (self._live_batches + 1) % self._settings.bulk_share
            return Lane.LIVE if self._live_batches else Lane.BULK
        return Lane.LIVE if live else Lane.BULK if bulk else None

    def _take(self, lane: Lane) -> list[Entry[ItemT, ResultT]]:
        """The next batch: the entry that has waited longest and all of like length that fit beside it."""
        batch: list[Entry[ItemT, ResultT]] = []
        gone: list[Entry[ItemT, ResultT]] = []
        longest = tokens = 0
        for group in self._queues[lane].groups_by_nearness():
            for entry in group:
                if entry.call.done.done() or entry.call.deadline.remaining_s() <= 0:
                    gone.append(entry)
                    continue
                padded = max(longest, entry.tokens) * (len(batch) + 1)
                if batch and padded > self._settings.max_batch_tokens:
                    break
                if padded > self._settings.max_padding_ratio * (tokens + entry.tokens):
                    break
                batch.append(entry)
                longest, tokens = max(longest, entry.tokens), tokens + entry.tokens
        for entry in gone:
            self._drop([entry], lane, "failed" if entry.call.done.done() else "deadline")
        for entry in batch:
            self._queues[lane].remove(entry)
        self._show_waiting(lane)
        return batch

    async def _run(self, batch: list[Entry[ItemT, ResultT]], lane: Lane, here: bool = False) -> None:
        padded = max(entry.tokens for entry in batch) * len(batch)
        _BATCH_ITEMS.labels(self._model).observe(len(batch))
        _TOKENS.labels(self._model, "padded").inc(padded)
        _TOKENS.labels(self._model, "real").inc(sum(entry.tokens for entry in batch))
        asked_s = time.perf_counter()
        try:
            given = [entry.item for entry in batch]
            run = self._timed(given) if here else await self._budget.run_model(self._timed, given, lane=lane)
            results = run.results
            if len(results) != len(batch):
                raise RuntimeError(f"{self._model} gave {len(results)} results for {len(batch)} items")
        except Exception as error:
            _log.exception("a batch failed", model=self._model, items=len(batch))
            if not isinstance(error, VitrineError):
                error = Internal(f"the {self._model}'s model failed on this batch", reason="MODEL_FAILED")
            for call in {entry.call for entry in batch}:
                _fail(call, error)
            return
        _BATCH_SECONDS.labels(self._model).observe(run.ended_s - run.started_s)
        self._show_run(batch, run, lane)
        # What other models take of the processor counts: it is how long this queue really takes.
        elapsed_s = time.perf_counter() - asked_s
        self._seconds_per_token += 0.1 * (elapsed_s / padded - self._seconds_per_token)
        for entry, result in zip(batch, results, strict=True):
            call = entry.call
            call.results[entry.index] = result
            call.missing -= 1
            if not call.missing and not call.done.done():
                call.done.set_result(None)

    def _timed(self, items: Sequence[ItemT]) -> _Run[ResultT]:
        started_s = time.perf_counter()
        results = self._compute(items)
        return _Run(results, started_s, time.perf_counter())

    def _show_run(self, batch: Sequence[Entry[ItemT, ResultT]], run: _Run[ResultT], lane: Lane) -> None:
        clock_ns = time.time_ns() - round(time.perf_counter() * 1e9)
        began_ns, ended_ns = (clock_ns + round(at_s * 1e9) for at_s in (run.started_s, run.ended_s))
        first: list[Span] = []
        for call in dict.fromkeys(entry.call for entry in batch):
            waited_s = run.started_s - call.submitted_s
            if not call.started:
                _WAIT_SECONDS.labels(self._model, lane.value).observe(waited_s)
            if call.trace is not None:
                if not call.started:
                    submitted_ns = began_ns - round(waited_s * 1e9)
                    past_span(
                        f"wait for {self._model}", call.trace, submitted_ns, began_ns, attributes={"lane": lane.value}
                    )
                # Each trace is whole by itself; links say which of them shared a run.
                items = {"batch_items": len(batch)}
                ran = past_span(f"run {self._model}", call.trace, began_ns, ended_ns, first, items)
                first = first or [ran]
            call.started = True


def _fail(call: BatchCall[ResultT], error: Exception) -> None:
    if not call.done.done():
        call.done.set_exception(error)
