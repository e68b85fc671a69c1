"""The batcher, with a model that the test opens and shuts: what runs is counted, never timed."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from vitrine.batching import Batcher, BatchSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal, ResourceExhausted, Unavailable
from vitrine.ports import Lane
from vitrine.tracing import server_span, trace_id

Item = tuple[str, int]


class Model:
    """Notes each batch; while shut, a run waits inside until the test opens it."""

    def __init__(self) -> None:
        self.batches: list[list[Item]] = []
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Semaphore(0)
        self.fault: Exception | None = None

    def __call__(self, items: Sequence[Item]) -> list[str]:
        self.batches.append(list(items))
        self.entered.release()
        self.open.wait()
        if self.fault is not None:
            raise self.fault
        return [name for name, _ in items]

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


class Callers:
    """A batcher of one model, and the calls of a test."""

    def __init__(self, name: str, budget: ComputeBudget, settings: BatchSettings) -> None:
        self.name = name
        self.model = Model()
        self.batcher: Batcher[Item, str] = Batcher(name, self.model, budget, settings)
        self.tasks: list[asyncio.Task[list[str]]] = []

    def call(
        self, *items: Item, lane: Lane = Lane.LIVE, timeout_s: float = 60, since_s: float | None = None
    ) -> asyncio.Task[list[str]]:
        tokens = [length for _, length in items]
        work = self.batcher.submit(items, tokens, deadline=Deadline.after(timeout_s), lane=lane, since_s=since_s)
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    async def occupy(self) -> asyncio.Task[list[str]]:
        """A call whose batch is inside the shut model."""
        self.model.open.clear()
        first = self.call(("first", 8))
        await asyncio.to_thread(self.model.entered.acquire)
        return first

    async def release(self) -> None:
        self.model.open.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def metric(self, name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"vitrine_batch_{name}", {"model": self.name, **labels}) or 0.0


MakeCallers = Callable[..., Callers]


@pytest.fixture
async def make_callers(request: pytest.FixtureRequest) -> AsyncIterator[MakeCallers]:
    budgets: list[ComputeBudget] = []
    made: list[Callers] = []

    def make(threads: int = 1, **settings: Any) -> Callers:
        budgets.append(ComputeBudget(threads))
        made.append(Callers(f"{request.node.name} {len(made)}", budgets[-1], BatchSettings(**settings)))
        return made[-1]

    yield make
    for callers, budget in zip(made, budgets, strict=True):
        callers.model.open.set()
        await callers.batcher.close()
        await budget.close()


async def test_the_next_batch_takes_all_that_waits(make_callers: MakeCallers) -> None:
    """triton server#3624 (case 46): the batcher ran 1 while 4 waited."""
    callers = make_callers()
    await callers.occupy()
    waiting = [callers.call((f"q{number}", 8)) for number in range(4)]
    await asyncio.sleep(0)
    await callers.release()
    assert callers.model.sizes == [1, 4]
    assert [await task for task in waiting] == [["q0"], ["q1"], ["q2"], ["q3"]]


async def test_calls_of_one_moment_share_a_batch(make_callers: MakeCallers) -> None:
    callers = make_callers()
    await asyncio.gather(*(callers.call((f"q{number}", 8)) for number in range(5)))
    assert callers.model.sizes == [5]


async def test_a_lone_caller_is_alone_and_waits_for_nobody(make_callers: MakeCallers) -> None:
    """triton server#4129 (case 47): one caller at a time has batches of 1, says the metric, and no timer delays it."""
    callers = make_callers()
    turns = 0
    for number in range(10):
        task = callers.call((f"q{number}", 8))
        while not callers.model.entered.acquire(blocking=False):
            turns += 1
            await asyncio.sleep(0)
        await task
    assert callers.model.sizes == [1] * 10
    assert callers.metric("items_count") == 10
    assert callers.metric("items_sum") == 10


async def test_few_tokens_are_computed_on_the_event_loop_while_no_model_works() -> None:
    """Alone and live, by the same counts and errors; whatever else goes to the model's thread."""
    budget, here = ComputeBudget(threads=1), threading.current_thread()
    ran_on: list[threading.Thread] = []

    def compute(items: Sequence[str]) -> list[str]:
        ran_on.append(threading.current_thread())
        if "bad" in items:
            raise ValueError
        return [item.upper() for item in items]

    batcher: Batcher[str, str] = Batcher("few", compute, budget, BatchSettings(), few_tokens=10)

    async def was_here(items: list[str], tokens: list[int], lane: Lane = Lane.LIVE) -> bool:
        results = await batcher.submit(items, tokens, deadline=Deadline.after(60), lane=lane)
        assert results == [item.upper() for item in items]
        return ran_on.pop() is here

    assert await was_here(["a", "b"], [4, 6])
    assert not await was_here(["a", "b"], [4, 7])
    assert not await was_here(["a"], [1], Lane.BULK)
    assert REGISTRY.get_sample_value("vitrine_batch_items_count", {"model": "few"}) == 3
    with pytest.raises(Internal, match="failed on this batch"):
        await batcher.submit(["bad"], [1], deadline=Deadline.after(60))
    assert ran_on.pop() is here
    opened = threading.Event()
    other = asyncio.create_task(budget.run_model(opened.wait))
    while budget.is_idle:  # noqa: ASYNC110
        await asyncio.sleep(0)
    behind = asyncio.create_task(was_here(["a"], [1]))
    opened.set()
    await other
    assert not await behind
    await batcher.close()
    await budget.close()


async def test_batches_do_not_stay_small_after_high_load(make_callers: MakeCallers) -> None:
    """triton server#4841 (case 49): mean batch size at the end is that of the beginning."""
    callers = make_callers(max_batch_tokens=256)
    means = []
    for _ in range(10):
        callers.model.batches.clear()
        await callers.occupy()
        for number in range(500):
            callers.call((f"q{number}", 8))
        await asyncio.sleep(0)
        await callers.release()
        means.append(500 / (len(callers.model.batches) - 1))
    assert means[0] > 30
    assert min(means) >= 0.9 * means[0]


async def test_like_lengths_go_together(make_callers: MakeCallers) -> None:
    """text-embeddings-inference#65 (case 43): 31 short texts and a long one; together they would pad 512 / 8 times."""
    callers = make_callers()
    await callers.occupy()
    callers.call(*[(f"short {number}", 8) for number in range(31)], ("long", 512))
    await asyncio.sleep(0)
    await callers.release()
    assert callers.model.sizes == [1, 31, 1]
    padded, real = callers.metric("tokens_total", kind="padded"), callers.metric("tokens_total", kind="real")
    assert padded / real < 1.5


async def test_padding_is_bounded_whatever_the_lengths(make_callers: MakeCallers) -> None:
    callers = make_callers(max_batch_tokens=512)
    await callers.occupy()
    lengths = [3 + (number * 37) % 250 for number in range(300)]
    callers.call(*[(str(length), length) for length in lengths])
    await asyncio.sleep(0)
    await callers.release()
    for batch in callers.model.batches:
        longest = max(length for _, length in batch)
        assert longest * len(batch) <= 512
        assert longest * len(batch) <= 1.5 * sum(length for _, length in batch)
    assert sum(callers.model.sizes) == 301


async def test_memory_is_bounded_by_tokens_not_by_items(make_callers: MakeCallers) -> None:
    """infinity#517 (case 50): eight texts of 8,192 tokens, again and again; each run stays within the budget."""
    callers = make_callers(max_batch_tokens=16_384)
    await callers.occupy()
    for _ in range(2):
        callers.call(*[(f"long {number}", 8_192) for number in range(8)])
    await asyncio.sleep(0)
    await callers.release()
    assert callers.model.sizes[1:] == [2] * 8


async def test_short_ones_go_by_a_long_one_that_came_a_little_before(make_callers: MakeCallers) -> None:
    """Long texts are not passed over for ever by the short ones that keep coming: only while they take themselves."""
    callers = make_callers(max_batch_tokens=64)
    await callers.occupy()
    callers.call(("long", 60))
    callers.call(*[(f"q{number}", 8) for number in range(8)])
    came_s = time.perf_counter()
    # A batcher that has run nothing yet takes a token for 0.1 ms.
    while time.perf_counter() < came_s + 60 * 1e-4:  # noqa: ASYNC110
        await asyncio.sleep(0)
    callers.call(*[(f"late q{number}", 8) for number in range(8)])
    await asyncio.sleep(0)
    await callers.release()
    assert [[name[:5] for name, _ in batch[:1]] for batch in callers.model.batches] == [
        ["first"], ["q0"], ["long"], ["late "],
    ]  # fmt: skip


async def test_who_asks_in_turns_keeps_the_place_of_the_first(make_callers: MakeCallers) -> None:
    """Else what began first would end last while others keep coming: each turn would stand behind all of them."""
    callers = make_callers(max_batch_tokens=32)
    came_s = time.perf_counter()
    await callers.occupy()
    callers.call(*[(f"later {number}", 8) for number in range(4)])
    callers.call(*[(f"of another length {number}", 10) for number in range(3)])
    await asyncio.sleep(0)
    callers.call(*[(f"turn {number}", 8) for number in range(4)], since_s=came_s)
    await asyncio.sleep(0)
    await callers.release()
    assert [[name for name, _ in batch[:1]] for batch in callers.model.batches] == [
        ["first"], ["turn 0"], ["later 0"], ["of another length 0"],
    ]  # fmt: skip


async def test_it_says_whether_a_lane_is_waited_for(make_callers: MakeCallers) -> None:
    callers = make_callers()
    await callers.occupy()
    assert not callers.batcher.is_waited_for(Lane.LIVE)
    callers.call(("next", 8))
    await asyncio.sleep(0)
    assert callers.batcher.is_waited_for(Lane.LIVE)
    assert not callers.batcher.is_waited_for(Lane.BULK)
    await callers.release()
    assert not callers.batcher.is_waited_for(Lane.LIVE)


async def test_a_long_one_holds_one_thread_and_short_ones_have_the_others(make_callers: MakeCallers) -> None:
    callers = make_callers(threads=2)
    callers.model.open.clear()
    long = callers.call(("long", 512))
    await asyncio.to_thread(callers.model.entered.acquire)
    short = [callers.call((f"q{number}", 8)) for number in range(3)]
    await asyncio.to_thread(callers.model.entered.acquire)
    assert callers.model.batches == [[("long", 512)], [("q0", 8), ("q1", 8), ("q2", 8)]]
    more = callers.call(("one more", 8))
    await asyncio.sleep(0)
    await callers.release()
    assert [await task for task in (long, *short, more)] == [["long"], ["q0"], ["q1"], ["q2"], ["one more"]]


@pytest.mark.parametrize(("threads", "runs"), [(1, [4] * 8), (2, [4] * 5 + [3, 2] + [1] * 7)])
async def test_what_waits_is_shared_out_in_runs_that_get_smaller(
    make_callers: MakeCallers, threads: int, runs: list[int]
) -> None:
    """Polychronopoulos and Kuck 1987: a thread that is held up leaves work to the others, and all end together."""
    callers = make_callers(threads, max_batch_tokens=160)
    await callers.call(*[(f"pair {number}", 40) for number in range(32)])
    # As they were formed: of two threads the later run may begin first.
    formed = sorted(callers.model.batches, key=lambda batch: int(batch[0][0].split()[1]))
    assert [len(batch) for batch in formed] == runs


async def test_a_full_queue_refuses_at_once_and_never_breaks(make_callers: MakeCallers) -> None:
    """text-embeddings-inference#811: 500 callers of 8 texts where the queue holds far fewer."""
    callers = make_callers(max_queue_tokens=1_024)
    await callers.occupy()
    tasks = [callers.call(*[(f"{number}.{item}", 8) for item in range(8)]) for number in range(500)]
    await asyncio.sleep(0)
    refused = [task for task in tasks if task.done()]
    assert len(refused) == 500 - 1_024 // 64
    for task in refused:
        error = task.exception()
        assert isinstance(error, ResourceExhausted)
        assert error.reason == "QUEUE_FULL"
        assert error.retry_after_s is not None
        assert 0 < error.retry_after_s <= 30
    await callers.release()
    answered = [task.result() for task in tasks if task not in refused]
    assert answered == [[f"{number}.{item}" for item in range(8)] for number in range(16)]
    assert await callers.call(("after", 8)) == ["after"]


async def test_many_tiny_texts_are_all_answered(make_callers: MakeCallers) -> None:
    """text-embeddings-inference#726 (case 42): 25 calls of 5 one-letter texts."""
    callers = make_callers()
    tasks = [callers.call(*[(f"{number}{letter}", 3) for letter in "abcde"]) for number in range(25)]
    answers = await asyncio.gather(*tasks)
    assert answers == [[f"{number}{letter}" for letter in "abcde"] for number in range(25)]


async def test_a_call_over_the_whole_limit_is_refused_for_good(make_callers: MakeCallers) -> None:
    """gaia#918 (case 51): the same huge batch must not be retried into the same wall."""
    callers = make_callers(max_queue_tokens=1_024)
    with pytest.raises(
        ResourceExhausted, match=r"80000 tokens is over the queue's limit of 1024; send fewer"
    ) as refused:
        await callers.call(*[(f"{number}", 8) for number in range(10_000)])
    assert refused.value.retry_after_s is None
    assert callers.model.batches == []


async def test_cancelled_work_never_reaches_the_model(make_callers: MakeCallers) -> None:
    """leapfrogai#139: 1,000 queued calls are cancelled; the metric counts them and their room is free again."""
    callers = make_callers(max_queue_tokens=8_000)
    await callers.occupy()
    leavers = [callers.call((f"leaver {number}", 8)) for number in range(1_000)]
    await asyncio.sleep(0)
    assert callers.metric("waiting_tokens", lane="live") == 8_000
    for task in leavers:
        task.cancel()
    await asyncio.wait(leavers)
    assert callers.metric("waiting_tokens", lane="live") == 0
    stayer = callers.call(("stayer", 8))
    await asyncio.sleep(0)
    await callers.release()
    assert await stayer == ["stayer"]
    assert callers.model.batches == [[("first", 8)], [("stayer", 8)]]
    assert callers.metric("dropped_items_total", reason="cancelled") == 1_000


async def test_what_waits_for_several_models_of_one_name_is_told_together() -> None:
    """A release that is being built has its embedder beside the one that serves."""
    budget, release = ComputeBudget(threads=1), threading.Event()
    running = asyncio.create_task(budget.run_model(release.wait))
    serving, built = (Callers("two models", budget, BatchSettings()) for _ in range(2))
    serving.call(("query", 8))
    gone = built.call(("text", 40))
    await asyncio.sleep(0)
    assert serving.metric("waiting_tokens", lane="live") == 48
    gone.cancel()
    await asyncio.wait({gone})
    assert serving.metric("waiting_tokens", lane="live") == 8
    release.set()
    await asyncio.gather(running, *serving.tasks)
    assert serving.metric("waiting_tokens", lane="live") == 0
    await budget.close()


async def test_where_all_who_wait_are_gone_the_model_is_free_again(make_callers: MakeCallers) -> None:
    callers = make_callers()
    first = await callers.occupy()
    leaver = callers.call(("leaver", 8))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.wait({leaver})
    callers.model.open.set()
    assert await first == ["first"]
    assert await callers.call(("next", 8)) == ["next"]
    assert callers.model.batches == [[("first", 8)], [("next", 8)]]


async def test_work_out_of_time_never_reaches_the_model(make_callers: MakeCallers) -> None:
    callers = make_callers()
    await callers.occupy()
    late = callers.call(("late", 8), ("late too", 8), timeout_s=0.01)
    with pytest.raises(DeadlineExceeded, match="while waiting"):
        await late
    await callers.release()
    assert callers.model.batches == [[("first", 8)]]
    assert callers.metric("dropped_items_total", reason="deadline") == 2
    with pytest.raises(DeadlineExceeded, match="no time left for the model"):
        await callers.call(("no time at all", 8), timeout_s=0)


async def test_a_failing_batch_fails_its_own_callers_only(make_callers: MakeCallers) -> None:
    callers = make_callers(max_batch_tokens=16)
    first = await callers.occupy()
    callers.model.fault = RuntimeError("the model's own words")
    second = callers.call(("second", 8), ("its rest", 512))
    await asyncio.sleep(0)
    callers.model.open.set()
    for task in (first, second):
        with pytest.raises(Internal, match="model failed on this batch") as failed:
            await task
        assert "own words" not in failed.value.message
    assert callers.model.sizes == [1, 1]
    callers.model.fault = None
    assert await callers.call(("third", 8)) == ["third"]
    assert callers.metric("dropped_items_total", reason="failed") == 1


async def test_where_no_thread_can_be_started_calls_fail_and_close_ends(
    make_callers: MakeCallers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    callers = make_callers()
    with monkeypatch.context() as full:
        full.setattr(ThreadPoolExecutor, "submit", refuse)
        async with asyncio.timeout(20):
            with pytest.raises(Internal, match="model failed on this batch"):
                await callers.call(("first", 8))
    async with asyncio.timeout(20):
        await callers.batcher.close()


async def test_too_few_results_are_an_error_not_a_mix_up(make_callers: MakeCallers) -> None:
    budget = ComputeBudget(threads=1)
    batcher: Batcher[str, str] = Batcher("short", lambda items: items[1:], budget, BatchSettings())
    with pytest.raises(Internal):
        await batcher.submit(["a", "b"], [8, 8], deadline=Deadline.after(60))
    await budget.close()


async def test_live_goes_before_bulk(make_callers: MakeCallers) -> None:
    callers = make_callers(max_batch_tokens=64)
    await callers.occupy()
    callers.call(*[(f"bulk {number}", 8) for number in range(16)], lane=Lane.BULK)
    callers.call(*[(f"live {number}", 8) for number in range(16)])
    await asyncio.sleep(0)
    await callers.release()
    kinds = [{name.split()[0] for name, _ in batch} for batch in callers.model.batches]
    assert kinds == [{"first"}, {"live"}, {"live"}, {"bulk"}, {"bulk"}]


async def test_bulk_never_starves(make_callers: MakeCallers) -> None:
    callers = make_callers(max_batch_tokens=8, bulk_share=4)
    await callers.occupy()
    callers.call(("bulk", 8), lane=Lane.BULK)
    for number in range(20):
        callers.call((f"live {number}", 8))
    await asyncio.sleep(0)
    await callers.release()
    order = [batch[0][0] for batch in callers.model.batches]
    assert order.index("bulk") == 4


async def test_bulk_has_its_share_of_the_tokens_however_small_live_runs_are(make_callers: MakeCallers) -> None:
    callers = make_callers(max_batch_tokens=160, bulk_share=4)
    await callers.occupy()
    callers.call(*[(f"bulk {number}", 40) for number in range(8)], lane=Lane.BULK)
    # Too unlike to share a run, all due in this order.
    for number in range(12):
        callers.call((f"live {number}", 160 if number % 2 else 10))
    await asyncio.sleep(0)
    await callers.release()
    tokens = [(batch[0][0][:4], sum(length for _, length in batch)) for batch in callers.model.batches[1:]]
    before_bulk = sum(length for _, length in tokens[: tokens.index(("bulk", 160))])
    assert 3 * 160 <= before_bulk < 4 * 160


async def test_bulk_of_few_tokens_waits_for_as_few_of_live_work(make_callers: MakeCallers) -> None:
    """Its share is of what it has: a lone text would else wait for 1,792 tokens, and small runs be far less than it."""
    callers = make_callers(max_batch_tokens=160, bulk_share=4)
    await callers.occupy()
    callers.call(("bulk", 20), lane=Lane.BULK)
    for number in range(12):
        callers.call((f"live {number}", 160 if number % 2 else 10))
    await asyncio.sleep(0)
    await callers.release()
    tokens = [(batch[0][0][:4], sum(length for _, length in batch)) for batch in callers.model.batches[1:]]
    before_bulk = sum(length for _, length in tokens[: tokens.index(("bulk", 20))])
    assert 3 * 20 <= before_bulk < 3 * 20 + 160


async def test_each_lane_says_how_long_its_own_queue_takes() -> None:
    """What bulk work waits for live work says nothing of how long live work waits."""
    budget, release = ComputeBudget(threads=1), threading.Event()
    callers = Callers("own queue", budget, BatchSettings(max_queue_tokens=800))
    live = asyncio.create_task(budget.run_model(release.wait))
    bulk = callers.call(("bulk", 8), lane=Lane.BULK)
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(live, bulk)
    release.clear()
    live = asyncio.create_task(budget.run_model(release.wait))
    retry_after_s = {}
    for lane in Lane:
        callers.call(("fills it", 800), lane=lane)
        await asyncio.sleep(0)
        with pytest.raises(ResourceExhausted) as refused:
            await callers.call(("one more", 8), lane=lane)
        retry_after_s[lane] = refused.value.retry_after_s
    release.set()
    await asyncio.gather(live, *callers.tasks, return_exceptions=True)
    # A batcher that has run nothing yet takes a token for 0.1 ms; bulk work waits 2 ms once live work ends.
    assert retry_after_s[Lane.LIVE] == pytest.approx(800 * 1e-4)
    assert (retry_after_s[Lane.BULK] or 0) > 800 * 1e-4
    await budget.close()


async def test_a_full_bulk_lane_leaves_the_live_lane_free(make_callers: MakeCallers) -> None:
    callers = make_callers(max_queue_tokens=64)
    await callers.occupy()
    callers.call(*[(f"bulk {number}", 8) for number in range(8)], lane=Lane.BULK)
    await asyncio.sleep(0)
    live = callers.call(("live", 8))
    await asyncio.sleep(0)
    with pytest.raises(ResourceExhausted):
        await callers.call(("bulk more", 8), lane=Lane.BULK)
    await callers.release()
    assert await live == ["live"]


async def test_nothing_to_do_is_done(make_callers: MakeCallers) -> None:
    callers = make_callers()
    assert await callers.call() == []
    assert callers.model.batches == []


async def test_close_lets_the_running_batch_end_and_turns_the_rest_away(make_callers: MakeCallers) -> None:
    callers = make_callers()
    running = await callers.occupy()
    waiting = callers.call(("waiting", 8))
    await asyncio.sleep(0)
    closing = asyncio.create_task(callers.batcher.close())
    await asyncio.sleep(0)
    callers.model.open.set()
    await closing
    assert await running == ["first"]
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await callers.call(("after", 8))


async def test_calls_of_one_batch_are_traces_of_their_own_that_say_what_they_shared(
    make_callers: MakeCallers, exporter: InMemorySpanExporter
) -> None:
    callers = make_callers()
    exporter.clear()
    traces = []
    await callers.occupy()
    for name in ("a", "b"):
        with server_span(name, {}):
            traces.append(trace_id())
            callers.call((name, 8), lane=Lane.BULK)
            await asyncio.sleep(0)
    await callers.release()
    told: dict[str, dict[str, Any]] = {trace: {} for trace in traces}
    for span in exporter.get_finished_spans():
        assert span.context is not None
        told[trace_id_of(span)][span.name] = span
    first, second = told.values()
    assert set(first) == {"a", f"wait for {callers.name}", f"run {callers.name}"}
    ran, also = first[f"run {callers.name}"], second[f"run {callers.name}"]
    assert ran.attributes == {"batch_items": 2}
    assert (ran.start_time, ran.end_time) == (also.start_time, also.end_time)
    assert [link.context for link in also.links] == [ran.context]
    waited = second[f"wait for {callers.name}"]
    assert waited.start_time <= waited.end_time == also.start_time
    assert waited.attributes == {"lane": "bulk"}
    assert {span.parent.span_id for span in (waited, also)} == {second["b"].context.span_id}


async def test_a_call_has_waited_until_its_first_run_began_whichever_ends_first(
    exporter: InMemorySpanExporter,
) -> None:
    budget, done = ComputeBudget(threads=2), {"short": threading.Event(), "long": threading.Event()}

    def compute(items: Sequence[str]) -> list[str]:
        done[items[0]].wait()
        return list(items)

    def runs() -> float:
        return REGISTRY.get_sample_value("vitrine_batch_seconds_count", {"model": "two runs"}) or 0

    batcher: Batcher[str, str] = Batcher("two runs", compute, budget, BatchSettings())
    exporter.clear()
    with server_span("call", {}):
        call = asyncio.create_task(batcher.submit(["short", "long"], [8, 512], deadline=Deadline.after(60)))
        await asyncio.sleep(0)
    done["long"].set()
    while not runs():  # noqa: ASYNC110
        await asyncio.sleep(0)
    done["short"].set()
    assert await call == ["short", "long"]
    spans = exporter.get_finished_spans()
    waits, ran = ([span for span in spans if span.name == f"{name} two runs"] for name in ("wait for", "run"))
    assert len(ran) == 2
    assert [span.end_time for span in waits] == [ran[-1].start_time]
    labels = {"model": "two runs", "lane": "live"}
    assert REGISTRY.get_sample_value("vitrine_batch_wait_seconds_count", labels) == 1
    await batcher.close()
    await budget.close()


def trace_id_of(span: Any) -> str:
    return f"{span.context.trace_id:032x}"
