"""Tests of the rank stage over a ranker whose power the test sets; tests/gateway/test_pipeline.py has the real one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.rank_depth import RankDepth
from gateway.ranking import Ordered, RankStage
from gateway.search import Degradation
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded
from vitrine.ports import Candidate, ModelInfo, RankCandidate, RankedCandidate, Ranking
from vitrine.product import Product

# In retrieval order; the ranker likes the last best, and of equals the first id.
CANDIDATES = [Candidate(f"p{n:02}", 1.0 - n / 100, (), Product(id=f"p{n:02}", title=f"watch {n}")) for n in range(32)]


def score_of(candidate: RankCandidate) -> float:
    return float(int(candidate.id[1:]) // 2)


@dataclass
class Ranker:
    """Is too late with more than `power` pairs; reads none where it keeps logits; `calls`: how many each call had."""

    power: int = 256
    error: Exception | None = None
    answered_with: str = ""
    cut_short: bool = False
    keeps_logits: bool = False
    calls: list[int] = field(default_factory=list)

    async def rank(self, query: str, candidates: Sequence[RankCandidate], **_: Any) -> Ranking:
        self.calls.append(len(candidates))
        if len(candidates) > self.power:
            raise DeadlineExceeded("late")
        if self.error is not None:
            raise self.error
        ranked = [
            RankedCandidate(index, self.answered_with or one.id, score_of(one), score_of(one), 0.5)
            for index, one in enumerate(candidates)
        ]
        ranked.sort(key=lambda one: (-one.score, one.id))
        read = 0 if self.keeps_logits else len(ranked)
        return Ranking(tuple(ranked), "sha256:0", read_pairs=read, cut_short=self.cut_short)

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        raise NotImplementedError


def stage_over(ranker: Ranker) -> RankStage:
    return RankStage(ranker, RankDepth(min_time_s=0.005), timeout_s=30.0, reserve_s=0.02)


async def ordered(stage: RankStage, timeout_s: float = 30.0) -> Ordered:
    return await stage.order("watch", CANDIDATES, best_bm25=4.0, asked=32, deadline=Deadline.after(timeout_s))


def ids_of(answer: Ordered) -> list[str]:
    return [candidate.product_id for candidate in answer.candidates]


async def test_the_first_search_probes_and_goes_on_and_the_next_asks_once() -> None:
    ranker = Ranker()
    stage = stage_over(ranker)
    first, second = await ordered(stage), await ordered(stage)
    assert ranker.calls == [4, 28, 32]
    assert first == second
    assert first.degradation is None
    # Calls that were apart are in one order, ties by id.
    assert ids_of(first) == sorted(ids_of(first), key=lambda name: (-(int(name[1:]) // 2), name))


async def test_on_a_slow_machine_every_search_has_a_ranked_head() -> None:
    """The very first one too, and whatever was measured in between."""
    stage = stage_over(Ranker(power=4))
    for _ in range(10):
        answer = await ordered(stage)
        assert (answer.degradation, len(answer.ranks)) == (Degradation.RANK_DEPTH_REDUCED, 4)
        assert ids_of(answer)[:4] == ["p02", "p03", "p00", "p01"]
        assert ids_of(answer)[4:] == [f"p{n:02}" for n in range(4, 32)]


async def test_a_machine_that_gets_slow_costs_one_search_its_order_and_recovers() -> None:
    ranker = Ranker()
    stage = stage_over(ranker)
    kinds = [(await ordered(stage)).degradation]
    ranker.power = 4
    kinds += [(await ordered(stage)).degradation for _ in range(3)]
    ranker.power = 256
    kinds += [(await ordered(stage)).degradation for _ in range(2)]
    reduced = Degradation.RANK_DEPTH_REDUCED
    assert kinds == [None, Degradation.NOT_RANKED, reduced, reduced, None, None]


async def test_what_the_ranker_scored_before_its_queue_was_full_is_kept_and_told() -> None:
    answer = await ordered(stage_over(ranker := Ranker(cut_short=True)))
    assert (answer.degradation, len(answer.ranks), ranker.calls) == (Degradation.RANK_DEPTH_REDUCED, 4, [4])


async def test_what_half_of_the_time_affords_is_asked_once() -> None:
    """The other half is room for a call that takes twice as long, not for more work while others wait."""
    ranker = Ranker()
    stage = stage_over(ranker)
    await ordered(stage)
    stage._depth.given_up()
    stage._depth.measured(1, 0.5)
    answer = await ordered(stage)
    assert (answer.degradation, len(answer.ranks)) == (Degradation.RANK_DEPTH_REDUCED, ranker.calls[-1])
    assert len(ranker.calls) == 3
    assert 25 < ranker.calls[-1] < 31


async def test_pairs_that_cost_nothing_are_asked_for_until_all_are_ranked() -> None:
    ranker = Ranker(keeps_logits=True)
    stage = stage_over(ranker)
    first = await ordered(stage)
    assert (first.degradation, ranker.calls) == (None, [4] * 8)
    stage._depth.given_up()
    stage._depth.measured(1, 0.5)
    second = await ordered(stage)
    assert (second.degradation, sum(ranker.calls[8:])) == (None, 32)
    assert second == first


async def test_without_time_nothing_is_asked() -> None:
    ranker = Ranker()
    answer = await ordered(stage_over(ranker), timeout_s=0.02)
    assert (answer.degradation, list(answer.ranks), ranker.calls) == (Degradation.RANK_DEPTH_REDUCED, [], [])
    assert answer.candidates == CANDIDATES


@pytest.mark.parametrize("ranker", [Ranker(power=0), Ranker(error=KeyError("bug")), Ranker(answered_with="p31")])
async def test_whatever_is_wrong_with_the_ranker_there_is_an_order(ranker: Ranker) -> None:
    answer = await ordered(stage_over(ranker))
    assert (answer.degradation, list(answer.ranks)) == (Degradation.NOT_RANKED, [])
    assert answer.candidates == CANDIDATES
