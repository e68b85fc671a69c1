"""The ranker's engine on a bundle whose logits are known by hand, and on the bundle that ships."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from services.ranker.engine import MAX_CANDIDATES, RankerEngine
from services.ranker.settings import RankerSettings
from vitrine.batching import BatchSettings
from vitrine.bundle import Calibration, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    VitrineError,
)
from vitrine.inference import Session, TokenIds, load_session
from vitrine.ports import Evidence, RankCandidate, Ranking
from vitrine.tokenization import Tokenizer
from vitrine.vectors import FloatArray

BundleMaker = Callable[..., Path]


def soon() -> Deadline:
    return Deadline.after(60)


def candidates(*texts: str) -> list[RankCandidate]:
    return [RankCandidate(f"p{index}", text) for index, text in enumerate(texts)]


def ids(ranking: Ranking) -> list[str]:
    return [ranked.id for ranked in ranking.ranked]


def batcher_metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"model": "ranker", **labels}) or 0.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event of its own)
            await asyncio.sleep(0)


class GatedSession:
    """A session that waits at a gate before each run, and remembers the rows that reached it."""

    def __init__(self, session: Session) -> None:
        self.runtime = session.runtime
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.rows: list[TokenIds] = []
        self.fault: Exception | None = None
        self._session = session

    def run(
        self, ids: Sequence[TokenIds], type_ids: Sequence[TokenIds] | None = None
    ) -> Sequence[FloatArray | Internal]:
        self.entered.set()
        self.gate.wait(60)
        self.rows += ids
        if self.fault is not None:
            raise self.fault
        return self._session.run(ids, type_ids)


@pytest.fixture(scope="module")
async def engine(make_bundle: BundleMaker, budget: ComputeBudget) -> AsyncIterator[RankerEngine]:
    engine = await RankerEngine.open(RankerSettings(bundle=make_bundle()), budget)
    yield engine
    await engine.close()


async def gated_engine(
    folder: Path, budget: ComputeBudget, batch: BatchSettings | None = None
) -> tuple[RankerEngine, GatedSession]:
    bundle = load_bundle(folder, "ranker")
    session = GatedSession(load_session(bundle, budget))
    settings = RankerSettings(bundle=folder, batch=batch or BatchSettings())
    return RankerEngine(bundle, session, Tokenizer(bundle), budget, settings), session


async def test_order_is_by_score_and_ties_by_id(engine: RankerEngine) -> None:
    asked = [RankCandidate("b", "good"), RankCandidate("c", "strong"), RankCandidate("a", "good")]
    ranking = await engine.rank("watch", asked, deadline=soon())
    assert ids(ranking) == ["c", "a", "b"]
    assert [ranked.index for ranked in ranking.ranked] == [1, 2, 0]
    assert [ranked.logit for ranked in ranking.ranked] == [4.0, 1.0, 1.0]
    assert ranking.failures == ()
    top = await engine.rank("watch", asked, deadline=soon(), top_n=1)
    assert top.ranked == ranking.ranked[:1]


async def test_probability_is_the_sigmoid_applied_once(engine: RankerEngine) -> None:
    """hindsight#1512 (case 133): a sigmoid over a sigmoid flattens everything to 0.5."""
    ranking = await engine.rank("watch", candidates("strong strong strong", "bad bad bad"), deadline=soon())
    best, worst = ranking.ranked
    assert (best.logit, best.score, worst.logit) == (12.0, 12.0, -6.0)
    assert best.probability == pytest.approx(1 / (1 + np.exp(-11.0)), rel=1e-6)
    assert worst.probability == pytest.approx(1 / (1 + np.exp(7.0)), rel=1e-6)


@pytest.mark.parametrize(("strength", "probabilities"), [("strong strong ", 20), ("strong " * 20, 1)])
async def test_strong_hits_keep_their_order(engine: RankerEngine, strength: str, probabilities: int) -> None:
    """haiku.rag#529 (case 134): twenty relevant products, all 1.0 in a rounded probability; they stay in order."""
    texts = [strength + "hair " * extra for extra in range(20)]
    ranking = await engine.rank("watch", candidates(*texts), deadline=soon())
    assert ids(ranking) == [f"p{index}" for index in reversed(range(20))]
    assert len({ranked.score for ranked in ranking.ranked}) == 20
    assert len({ranked.probability for ranked in ranking.ranked}) == probabilities
    assert all(0 < ranked.probability < 1 for ranked in ranking.ranked)


async def test_close_scores_stay_apart(engine: RankerEngine) -> None:
    """sentence-transformers#3894 (case 135): 2^-12 apart at 20 is one number in float16, and two in float32."""
    ranking = await engine.rank("watch", candidates("strong " * 5, "strong " * 5 + "hair"), deadline=soon())
    assert ids(ranking) == ["p1", "p0"]
    assert ranking.ranked[0].score > ranking.ranked[1].score
    assert np.float16(ranking.ranked[0].score) == np.float16(ranking.ranked[1].score)


async def test_any_finite_logit_is_an_answer(engine: RankerEngine) -> None:
    """embed-rerank#17 (case 142): a logit of 7.45 is no probability, and is accepted."""
    ranking = await engine.rank("watch", candidates("strong " * 100, "bad " * 100), deadline=soon())
    assert [ranked.logit for ranked in ranking.ranked] == [400.0, -200.0]
    assert 0 < ranking.ranked[1].probability < ranking.ranked[0].probability < 1


async def test_evidence_joins_the_score(engine: RankerEngine) -> None:
    asked = [
        RankCandidate("a", "good", evidence=Evidence(dense=0.5, lexical=0.2)),
        RankCandidate("b", "good", evidence=Evidence(dense=0.75, lexical=1.0)),
    ]
    ranking = await engine.rank("watch", asked, deadline=soon())
    assert [(ranked.id, ranked.logit) for ranked in ranking.ranked] == [("b", 1.0), ("a", 1.0)]
    assert [ranked.score for ranked in ranking.ranked] == pytest.approx([1 + 1.5 + 0.5, 1 + 1.0 + 0.1])


async def test_missing_evidence_is_ranked_with_the_others_mean(engine: RankerEngine) -> None:
    """metarank#1171: an item without features neither fails the call nor falls behind for the lack of them."""
    asked = [
        RankCandidate("weak", "bad", evidence=Evidence(dense=0.8, lexical=0.4)),
        RankCandidate("new", "good"),
        RankCandidate("best", "strong", evidence=Evidence(dense=0.6, lexical=0.0)),
    ]
    ranking = await engine.rank("watch", asked, deadline=soon())
    assert ids(ranking) == ["best", "new", "weak"]
    assert ranking.ranked[1].score == pytest.approx(1 + 2 * 0.7 + 0.5 * 0.2)
    alone = await engine.rank("watch", [RankCandidate("new", "good")], deadline=soon())
    assert alone.ranked[0].score == 1.0


@pytest.mark.parametrize("text", ["", " ", "\t", "\u3000", "\u200b"])
async def test_an_empty_text_fails_its_item_alone(engine: RankerEngine, text: str) -> None:
    ranking = await engine.rank("watch", candidates("good", text, "strong"), deadline=soon())
    assert ids(ranking) == ["p2", "p0"]
    (failure,) = ranking.failures
    assert (failure.index, failure.id) == (1, "p1")
    assert isinstance(failure.error, InvalidArgument)
    assert failure.error.violations[0].field == "candidates[1].text"


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (RankCandidate("x", "good " * 2_000), "candidates[1].text"),
        (RankCandidate("", "good"), "candidates[1].id"),
        (RankCandidate("p0", "good"), "candidates[1].id"),
        (RankCandidate("x", "good", revision=-1), "candidates[1].revision"),
        (RankCandidate("x", "good", evidence=Evidence(float("nan"), 0)), "candidates[1].evidence.dense"),
        (RankCandidate("x", "good", evidence=Evidence(0, float("inf"))), "candidates[1].evidence.lexical"),
    ],
)
async def test_a_bad_candidate_fails_alone(engine: RankerEngine, bad: RankCandidate, field: str) -> None:
    ranking = await engine.rank("watch", [RankCandidate("p0", "good"), bad], deadline=soon())
    assert ids(ranking) == ["p0"]
    (failure,) = ranking.failures
    assert isinstance(failure.error, InvalidArgument)
    assert failure.error.violations[0].field == field


async def test_a_logit_that_is_not_finite_fails_its_item_alone(engine: RankerEngine) -> None:
    """sentence-transformers#3233 (case 137): NaN never leaves as a score."""
    ranking = await engine.rank("watch", candidates("good", "broken", "strong"), deadline=soon())
    assert ids(ranking) == ["p2", "p0"]
    (failure,) = ranking.failures
    assert (failure.index, failure.error.reason) == (1, "NOT_FINITE")


@pytest.mark.parametrize(
    ("query", "asked", "top_n", "field"),
    [
        (" \u200b", ["good"], None, "query"),
        ("w" * 1_025, ["good"], None, "query"),
        ("watch", [], None, "candidates"),
        ("watch", ["good"] * (MAX_CANDIDATES + 1), None, "candidates"),
        ("watch", ["good"], 0, "top_n"),
        ("watch", ["good"], -1, "top_n"),
    ],
)
async def test_a_bad_call_names_its_field(
    engine: RankerEngine, query: str, asked: list[str], top_n: int | None, field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await engine.rank(query, candidates(*asked), deadline=soon(), top_n=top_n)
    assert caught.value.violations[0].field == field


async def test_long_query_and_long_product_keep_the_query(engine: RankerEngine) -> None:
    """sentence-transformers#574, MiniSearch#2260 (cases 138, 139): query kept to its cap, product cut, both told."""
    (ranked,) = (await engine.rank("好" * 260, candidates("good " + "货" * 500), deadline=soon())).ranked
    window = (await engine.get_model(deadline=soon())).max_tokens
    cap = (window - 3) // 2
    assert ranked.query_tokens_dropped == 260 - cap
    assert ranked.text_tokens_dropped == 501 - (window - 3 - cap)
    assert ranked.logit == 1.0


async def test_the_answer_does_not_depend_on_company(engine: RankerEngine) -> None:
    """sentence-transformers#2312 (case 63): scored alone, or among 200 of other lengths."""
    asked = [RankCandidate(f"p{n:03}", "good " * (n % 40 + 1) + "hair " * n) for n in range(100)]
    together = await engine.rank("watch", asked, deadline=soon())
    for ranked in together.ranked[::25]:
        (alone,) = (await engine.rank("watch", [asked[ranked.index]], deadline=soon())).ranked
        assert alone.logit == ranked.logit


async def test_pairs_of_like_length_share_a_batch(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    """text-embeddings-inference#65, #713 (cases 43, 45): one long product must not pad the short ones to its length."""
    real, padded = (batcher_metric("vitrine_batch_tokens_total", kind=kind) for kind in ("real", "padded"))
    engine, session = await gated_engine(make_bundle(), budget)
    session.gate.set()
    texts = ["good " * 120, *["good " * (1 + n % 60) for n in range(75)]]
    ranking = await engine.rank("watch", candidates(*texts), deadline=soon())
    assert [ranked.logit for ranked in ranking.ranked[:2]] == [120.0, 60.0]
    real = batcher_metric("vitrine_batch_tokens_total", kind="real") - real
    padded = batcher_metric("vitrine_batch_tokens_total", kind="padded") - padded
    assert 1 <= padded / real < 1.5
    await engine.close()


async def test_cancelled_calls_never_reach_the_model(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    """leapfrogai#139: one call runs, 1,000 wait and are cancelled; the model sees only the first."""
    engine, session = await gated_engine(make_bundle(), budget)
    first = asyncio.create_task(engine.rank("watch", candidates("good"), deadline=soon()))
    await asyncio.to_thread(session.entered.wait, 60)
    waiting = [asyncio.create_task(engine.rank("watch", candidates("bad"), deadline=soon())) for _ in range(1_000)]
    cancelled = batcher_metric("vitrine_batch_dropped_items_total", reason="cancelled")
    await until(lambda: batcher_metric("vitrine_batch_waiting_tokens", lane="live") >= 1_000 * 5)
    for task in waiting:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert batcher_metric("vitrine_batch_dropped_items_total", reason="cancelled") == cancelled + 1_000
    session.gate.set()
    assert ids(await first) == ["p0"]
    assert len(session.rows) == 1
    await engine.close()


async def test_a_call_out_of_time_leaves_the_queue(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    engine, session = await gated_engine(make_bundle(), budget)
    first = asyncio.create_task(engine.rank("watch", candidates("good"), deadline=soon()))
    await asyncio.to_thread(session.entered.wait, 60)
    with pytest.raises(DeadlineExceeded):
        await engine.rank("watch", candidates("bad"), deadline=Deadline.after(0.05))
    session.gate.set()
    await first
    assert len(session.rows) == 1
    with pytest.raises(DeadlineExceeded):
        await engine.rank("watch", candidates("bad"), deadline=Deadline.after(-1))
    await engine.close()


async def test_a_full_queue_refuses_at_once(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    """text-embeddings-inference#811: 500 callers on a small queue; refused with a retry time, and it goes on after."""
    engine, session = await gated_engine(make_bundle(), budget, BatchSettings(max_queue_tokens=400))
    tasks = [asyncio.create_task(engine.rank("watch", candidates("good", "bad"), deadline=soon())) for _ in range(500)]
    await until(lambda: sum(task.done() for task in tasks) >= 400)
    session.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ResourceExhausted)]
    served = [outcome for outcome in outcomes if isinstance(outcome, Ranking)]
    assert len(refused) + len(served) == 500
    assert served
    assert all(error.retry_after_s is not None and error.retry_after_s > 0 for error in refused)
    assert ids(await engine.rank("watch", candidates("good"), deadline=soon())) == ["p0"]
    await engine.close()


async def test_a_failing_model_fails_calls_and_self_test(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    """server#3627 (case 70): while inference raises, the self-test that health follows raises too."""
    engine, session = await gated_engine(make_bundle(), budget)
    session.gate.set()
    await engine.self_test()
    session.fault = RuntimeError("device lost")
    with pytest.raises(Internal, match="failed on this batch"):
        await engine.rank("watch", candidates("good"), deadline=soon())
    with pytest.raises(RuntimeError, match="device lost"):
        await engine.self_test()
    session.fault = None
    await engine.self_test()
    assert ids(await engine.rank("watch", candidates("good"), deadline=soon())) == ["p0"]
    await engine.close()


async def test_self_test_passes_the_queue(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    """vllm#38157 (case 19): a full queue is no reason to call the model dead."""
    engine, session = await gated_engine(make_bundle(), budget, BatchSettings(max_queue_tokens=40))
    tasks = [asyncio.create_task(engine.rank("watch", candidates("good", "bad"), deadline=soon())) for _ in range(20)]
    await asyncio.to_thread(session.entered.wait, 60)
    test = asyncio.create_task(engine.self_test())
    session.gate.set()
    await test
    await asyncio.gather(*tasks, return_exceptions=True)
    await engine.close()


@pytest.mark.parametrize("document", ["bad strong watch", "good broken watch"])
async def test_self_test_refuses_a_wrong_or_nan_model(
    make_bundle: BundleMaker, budget: ComputeBudget, document: str
) -> None:
    """fastembed#688, sentence-transformers#3233 (cases 61, 137): NaN, or not the known answer, and it never serves."""
    folder = make_bundle(self_test={"query": "watch", "document": document, "logit": 5.0})
    engine = await RankerEngine.open(RankerSettings(bundle=folder), budget)
    with pytest.raises(Internal):
        await engine.self_test()
    await engine.close()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": "embedder"}, "for the embedder, and one for the ranker is needed"),
        ({"calibration": None}, "has no calibration"),
        ({"calibration": Calibration(scale=1, bias=0, evidence={"dense": 1.0})}, "positive weight for the logit"),
        ({"self_test": {"text": "watch"}}, "no self_test"),
    ],
)
async def test_a_bundle_that_is_no_ranker_is_refused_at_start(
    make_bundle: BundleMaker, budget: ComputeBudget, changes: dict[str, object], fault: str
) -> None:
    """infinity#106 (case 143): an embedding model where a reranker is needed is refused with the reason."""
    with pytest.raises(FailedPrecondition, match=fault):
        await RankerEngine.open(RankerSettings(bundle=make_bundle(**changes)), budget)


async def test_missing_bundle_is_refused_at_start(tmp_path: Path, budget: ComputeBudget) -> None:
    with pytest.raises(VitrineError, match="no bundle at"):
        await RankerEngine.open(RankerSettings(bundle=tmp_path / "nothing"), budget)


async def test_a_pair_is_read_once_and_evidence_counts_anew(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    engine, session = await gated_engine(make_bundle(), budget)
    session.gate.set()
    first = [RankCandidate("a", "good watch", 1, Evidence(0.1, 0)), RankCandidate("b", "strong watch", 1)]
    before = await engine.rank("watch", first, deadline=soon())
    assert (before.read_pairs, len(session.rows)) == (2, 2)
    changed = [replace(first[0], evidence=Evidence(3.0, 0)), replace(first[1], text="bad watch", revision=2)]
    after = await engine.rank("Watch ", changed, deadline=soon())
    assert (after.read_pairs, len(session.rows)) == (1, 3)
    assert [(one.id, one.logit) for one in after.ranked] == [("a", 1.0), ("b", -2.0)]
    assert after.ranked[0].score == pytest.approx(7.0)
    await engine.close()


async def test_with_shown_the_unlikely_are_left_out(make_bundle: BundleMaker, budget: ComputeBudget) -> None:
    engine, session = await gated_engine(make_bundle(), budget)
    session.gate.set()
    likely = [RankCandidate(f"p{n:02}", "good", 1, Evidence(100.0 - n % 2, 0)) for n in range(6)]
    unlikely = [RankCandidate(f"q{n:02}", "strong", 1, Evidence(0.0, 0)) for n in range(20)]
    ranking = await engine.rank("watch", [*unlikely, *likely], deadline=soon(), shown=3)
    assert ids(ranking)[:3] == ["p00", "p02", "p04"]
    assert ranking.read_pairs == len(ranking.ranked) < 26
    whole = await engine.rank("watch", [*unlikely, *likely], deadline=soon())
    assert len(whole.ranked) == 26
    assert len(session.rows) == 26
    with pytest.raises(InvalidArgument, match="shown: is 0"):
        await engine.rank("watch", likely, deadline=soon(), shown=0)
    await engine.close()


@pytest.mark.parametrize("error", [ResourceExhausted("the queue is full"), DeadlineExceeded("no time left")])
async def test_a_queue_that_fills_up_or_time_that_ends_between_turns_keeps_what_was_scored(
    make_bundle: BundleMaker, budget: ComputeBudget, monkeypatch: pytest.MonkeyPatch, error: VitrineError
) -> None:
    engine, session = await gated_engine(make_bundle(), budget)
    session.gate.set()
    submit, turns = engine._batcher.submit, []

    async def full_after_one(*args: Any, **kwargs: Any) -> Any:
        turns.append(args)
        if len(turns) > 1:
            raise error
        return await submit(*args, **kwargs)

    monkeypatch.setattr(engine._batcher, "submit", full_after_one)
    alike = [RankCandidate(f"p{n:02}", "good", 1, Evidence(0.5, 0)) for n in range(20)]
    ranking = await engine.rank("watch", alike, deadline=soon(), shown=3)
    assert ranking.cut_short
    assert len(ranking.ranked) == ranking.read_pairs == 5
    with pytest.raises(type(error)):
        await engine.rank("phone", alike, deadline=soon(), shown=3)
    await engine.close()


async def test_a_ranking_that_runs_out_of_time_answers_before_its_caller_has_left(
    make_bundle: BundleMaker, budget: ComputeBudget
) -> None:
    engine, session = await gated_engine(make_bundle(), budget)
    deadline = Deadline.after(3.0)
    read = session.run

    def shut_after_one(*args: Any) -> Sequence[FloatArray | Internal]:
        outputs = read(*args)
        if len(session.rows) >= 5:
            session.gate.clear()
        return outputs

    session.run = shut_after_one  # type: ignore[method-assign]
    session.gate.set()
    alike = [RankCandidate(f"p{n:02}", "good", 1, Evidence(0.5, 0)) for n in range(20)]
    ranking = await engine.rank("watch", alike, deadline=deadline, shown=3)
    assert deadline.remaining_s() > 0
    assert ranking.cut_short
    assert len(ranking.ranked) == ranking.read_pairs == 5
    session.gate.set()
    await engine.close()


@pytest.mark.parametrize("others_wait", [False, True])
async def test_after_a_quarter_of_its_time_a_ranking_goes_on_unless_others_wait(
    make_bundle: BundleMaker, budget: ComputeBudget, others_wait: bool
) -> None:
    """A caller with little time whom nobody waits behind had half of its candidates left as retrieved."""
    engine, session = await gated_engine(make_bundle(), budget, BatchSettings(max_batch_tokens=8))
    alike = [RankCandidate(f"p{n:02}", "good", 1, Evidence(0.5, 0)) for n in range(20)]
    deadline = Deadline.after(8.0)
    tasks = [asyncio.create_task(engine.rank("watch", alike, deadline=deadline, shown=3))]
    await asyncio.to_thread(session.entered.wait)
    if others_wait:
        many = [RankCandidate(f"q{n:03}", "strong", 1) for n in range(256)]
        tasks.append(asyncio.create_task(engine.rank("phone", many, deadline=soon())))
    await asyncio.sleep(8.0 / 4)
    session.gate.set()
    ranking, *_ = await asyncio.gather(*tasks)
    assert ranking.cut_short == others_wait
    assert ranking.read_pairs == (5 if others_wait else 20)
    await engine.close()
