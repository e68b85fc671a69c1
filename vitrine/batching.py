"""The batcher: puts what waits into runs of a model, bounded in tokens, of like lengths, live before bulk."""

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic

import structlog
from opentelemetry.trace import Span
from prometheus_client import Counter, Gauge, Histogram
from pydantic import BaseModel, Field

from vitrine.batch_queue import BatchCall, Entry, ItemT, Queue, ResultT
from vitrine.compute import BULK_SHARE, Claim, ComputeBudget, Job
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal, ResourceExhausted, Unavailable, VitrineError
from vitrine.ports import Lane
from vitrine.tracing import past_span

_log = structlog.get_logger("vitrine.batching")

# What is worth a run of its own: a pair alone, of 40 tokens, takes as long a token as eight together.
_FEW_TOKENS = 40

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

    max_batch_tokens: int = Field(
        default=256, ge=8, description="tokens of one model run, which is one thread's, padding included"
    )
    max_queue_tokens: int = Field(default=131_072, ge=8, description="tokens that may wait in one lane")
    max_padding_ratio: float = Field(default=1.5, ge=1, description="tokens with padding over tokens without")
    bulk_share: int = Field(
        default=BULK_SHARE, ge=2, description="at least one token in so many is bulk work's while both lanes wait"
    )


@dataclass(frozen=True, slots=True)
class _Run(Generic[ResultT]):
    """One run of the model: what it gave, and when it began and ended, as `time.perf_counter` says."""

    results: Sequence[ResultT]
    started_s: float
    ended_s: float


class Batcher(Generic[ItemT, ResultT]):
    """Runs `compute` on batches of what several callers submitted, each in one thread of the budget.

    A run starts at once when a thread is free: nobody waits for company. While all are busy, what arrives forms the
    next runs. What waits is shared out over the threads, and the less of it is left the smaller are the runs, so that
    all threads end together. An item's place in line is when it came, and as much later as it takes by itself: short
    ones go by a long one that came a little before them. An item whose caller has gone or is out of time leaves the
    queue. `compute` gets items of one lane in any order and returns a result for each; what it raises goes to the
    callers of that run alone, so a fault of one item is better returned as its result.
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
        self._shown_tokens = dict.fromkeys(Lane, 0)
        self._lined_up_s: dict[Lane, float | None] = dict.fromkeys(Lane)
        self._orders = itertools.count()
        self._closed = False
        self._running = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        # Of one thread, and of all as far as they are this lane's.
        self._run_seconds_per_token = 1e-4
        self._seconds_per_token = dict.fromkeys(Lane, 1e-4)

    async def submit(
        self,
        items: Sequence[ItemT],
        tokens: Sequence[int],
        *,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
        since_s: float | None = None,
    ) -> list[ResultT]:
        """The results of `items`, in order; `tokens` says how long each is.

        Who asks in turns for one answer gives `since_s`, as `time.perf_counter` said at the first: its place in line.

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
        due_s = call.submitted_s if since_s is None else since_s
        pace_s = self._run_seconds_per_token
        entries = [
            Entry(item, length, next(self._orders), index, call, due_s + length * pace_s)
            for index, (item, length) in enumerate(zip(items, tokens, strict=True))
        ]
        if lane is Lane.LIVE and sum(tokens) <= self._few_tokens and self._budget.is_idle:
            self._run_here(entries)
            await call.done
            return call.results  # type: ignore[return-value]  # as below
        self._line_up(lane)
        queue = self._queues[lane]
        for entry in entries:
            queue.add(entry)
        self._show_waiting(lane)
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

    def is_waited_for(self, lane: Lane) -> bool:
        """Whether items of a lane wait for the model."""
        return self._queues[lane].tokens > 0

    async def close(self) -> None:
        """Lets the runs that have begun end; who still waits gets Unavailable."""
        self._closed = True
        for lane in Lane:
            self._fail_waiting(lane, Unavailable("this process is shutting down"))
        await self._quiet.wait()

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
            retry_after_s=min(30.0, max(0.05, waiting * self._seconds_per_token[lane])),
        )

    def _drop(self, entries: Sequence[Entry[ItemT, ResultT]], lane: Lane, reason: str) -> None:
        left = sum(self._queues[lane].remove(entry) for entry in entries)
        _DROPPED.labels(self._model, reason).inc(left)
        self._show_waiting(lane)

    def _show_waiting(self, lane: Lane) -> None:
        waiting = self._queues[lane].tokens
        # Several engines share the gauge.
        _WAITING.labels(self._model, lane.value).inc(waiting - self._shown_tokens[lane])
        self._shown_tokens[lane] = waiting

    def _line_up(self, lane: Lane) -> None:
        """Has the lane wait for a thread, where it does not yet."""
        if self._lined_up_s[lane] is None:
            claim = Claim(
                partial(self._next_job, lane), partial(self._refuse, lane), partial(self._most_tokens_before, lane)
            )
            self._budget.line_up(lane, claim)
            self._lined_up_s[lane] = time.perf_counter()

    def _refuse(self, lane: Lane, error: VitrineError) -> None:
        self._lined_up_s[lane] = None
        self._fail_waiting(lane, error)

    def _fail_waiting(self, lane: Lane, error: VitrineError) -> None:
        for call in {entry.call for group in self._queues[lane].by_length.values() for entry in group.values()}:
            _fail(call, error)

    def _next_job(self, lane: Lane) -> Job | None:
        """The next run, for a thread that is free; the lane lines up again when more of it waits."""
        lined_up_s, self._lined_up_s[lane] = self._lined_up_s[lane], None
        assert lined_up_s is not None
        batch = self._take(lane)
        if self._queues[lane].tokens:
            self._line_up(lane)
        if not batch:
            return None
        self._begin(batch)
        self._running += 1
        self._quiet.clear()
        waited_s = time.perf_counter() - lined_up_s
        items = [entry.item for entry in batch]
        return Job(partial(self._timed, items), partial(self._end, batch, lane, waited_s), _padded(batch))

    def _take(self, lane: Lane) -> list[Entry[ItemT, ResultT]]:
        """The next batch: the entry that is due first and all of like length that fit beside it."""
        batch: list[Entry[ItemT, ResultT]] = []
        gone: list[Entry[ItemT, ResultT]] = []
        longest = tokens = 0
        most = self._most_tokens(self._queues[lane].tokens)
        for group in self._queues[lane].groups_by_nearness():
            for entry in group:
                if entry.call.done.done() or entry.call.deadline.remaining_s() <= 0:
                    gone.append(entry)
                    continue
                padded = max(longest, entry.tokens) * (len(batch) + 1)
                if batch and padded > most:
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

    def _most_tokens(self, waiting: int) -> int:
        """Tokens of a run while `waiting` wait in its lane.

        Two runs for a thread where there are tokens enough, so that one that is held up leaves work to the others
        (Polychronopoulos and Kuck 1987, "Guided self-scheduling").
        """
        threads = self._budget.threads
        share = math.ceil(waiting / (2 * threads)) if threads > 1 else waiting
        return min(self._settings.max_batch_tokens, max(_FEW_TOKENS, share))

    def _most_tokens_before(self, lane: Lane) -> int:
        """Tokens of live work beside which the lane's next run is its share."""
        waiting = self._queues[lane].tokens
        return (self._settings.bulk_share - 1) * min(waiting, self._most_tokens(waiting))

    def _begin(self, batch: Sequence[Entry[ItemT, ResultT]]) -> None:
        """Counts a run that is about to begin, and notes which calls it is the first of."""
        for entry in batch:
            entry.leads, entry.call.begun = not entry.call.begun, True
        _BATCH_ITEMS.labels(self._model).observe(len(batch))
        _TOKENS.labels(self._model, "padded").inc(_padded(batch))
        _TOKENS.labels(self._model, "real").inc(sum(entry.tokens for entry in batch))

    def _run_here(self, batch: list[Entry[ItemT, ResultT]]) -> None:
        self._begin(batch)
        try:
            run = self._timed([entry.item for entry in batch])
        except Exception as error:
            self._fail_all(batch, error)
        else:
            self._tell(batch, Lane.LIVE, run)

    def _end(
        self, batch: list[Entry[ItemT, ResultT]], lane: Lane, waited_s: float, done: "asyncio.Future[_Run[ResultT]]"
    ) -> None:
        """Takes in what a thread has computed after the lane `waited_s` for it."""
        self._running -= 1
        if not self._running:
            self._quiet.set()
        if error := done.exception():
            self._fail_all(batch, error)
            return
        run = done.result()
        padded, run_s = _padded(batch), run.ended_s - run.started_s
        self._run_seconds_per_token += 0.1 * (run_s / padded - self._run_seconds_per_token)
        # What other models and the other lane take of the processor counts: it is how long this queue really takes.
        took_s = max(waited_s, run_s / self._budget.threads)
        self._seconds_per_token[lane] += 0.1 * (took_s / padded - self._seconds_per_token[lane])
        self._tell(batch, lane, run)

    def _tell(self, batch: list[Entry[ItemT, ResultT]], lane: Lane, run: _Run[ResultT]) -> None:
        """Gives a run's results to the calls that wait for them."""
        if len(run.results) != len(batch):
            fault = f"{self._model} gave {len(run.results)} results for {len(batch)} items"
            self._fail_all(batch, RuntimeError(fault))
            return
        for entry, result in zip(batch, run.results, strict=True):
            call = entry.call
            call.results[entry.index] = result
            call.missing -= 1
            if not call.missing and not call.done.done():
                call.done.set_result(None)
        _BATCH_SECONDS.labels(self._model).observe(run.ended_s - run.started_s)
        self._show_run(batch, run, lane)

    def _fail_all(self, batch: list[Entry[ItemT, ResultT]], error: BaseException) -> None:
        _log.error("a batch failed", model=self._model, items=len(batch), exc_info=error)
        if not isinstance(error, VitrineError):
            error = Internal(f"the {self._model}'s model failed on this batch", reason="MODEL_FAILED")
        for call in {entry.call for entry in batch}:
            _fail(call, error)

    def _timed(self, items: Sequence[ItemT]) -> _Run[ResultT]:
        started_s = time.perf_counter()
        results = self._compute(items)
        return _Run(results, started_s, time.perf_counter())

    def _show_run(self, batch: Sequence[Entry[ItemT, ResultT]], run: _Run[ResultT], lane: Lane) -> None:
        clock_ns = time.time_ns() - round(time.perf_counter() * 1e9)
        began_ns, ended_ns = (clock_ns + round(at_s * 1e9) for at_s in (run.started_s, run.ended_s))
        first: list[Span] = []
        calls: dict[BatchCall[ResultT], Entry[ItemT, ResultT]] = {}
        for entry in batch:
            calls.setdefault(entry.call, entry)
        for call, entry in calls.items():
            waited_s = run.started_s - call.submitted_s
            if entry.leads:
                _WAIT_SECONDS.labels(self._model, lane.value).observe(waited_s)
            if call.trace is not None:
                if entry.leads:
                    submitted_ns = began_ns - round(waited_s * 1e9)
                    past_span(
                        f"wait for {self._model}", call.trace, submitted_ns, began_ns, attributes={"lane": lane.value}
                    )
                # Each trace is whole by itself; links say which of them shared a run.
                items = {"batch_items": len(batch)}
                ran = past_span(f"run {self._model}", call.trace, began_ns, ended_ns, first, items)
                first = first or [ran]


def _padded(batch: Sequence[Entry[ItemT, ResultT]]) -> int:
    return max(entry.tokens for entry in batch) * len(batch)


def _fail(call: BatchCall[ResultT], error: Exception) -> None:
    if not call.done.done():
        call.done.set_exception(error)
