"""The rank stage: the head of the retrieved candidates in the ranker's order, as deep as the time left allows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import structlog

from gateway.rank_depth import RankDepth
from gateway.search import Degradation, RankScores
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal
from vitrine.ports import Candidate, Evidence, RankCandidate, Ranker, Ranking
from vitrine.product_text import ranking_text

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OrderedCandidate:
    """A candidate in its final place; `rank` is None where the ranker did not look."""

    candidate: Candidate
    rank: RankScores | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """All candidates: those ranked by score, then the others as retrieved. Scores of the two parts do not compare."""

    candidates: tuple[OrderedCandidate, ...]
    depth: int = 0
    degradation: Degradation | None = None


class RankStage:
    """Orders candidates; whatever is wrong with the ranker, there is an order."""

    def __init__(self, ranker: Ranker, depth: RankDepth, *, timeout_s: float, reserve_s: float) -> None:
        """The ranker gets at most `timeout_s`, and leaves `reserve_s` of the caller's time for the answer."""
        self._ranker = ranker
        self._depth = depth
        self._timeout_s = timeout_s
        self._reserve_s = reserve_s

    async def order(self, query: str, candidates: Sequence[Candidate], *, asked: int, deadline: Deadline) -> Ordered:
        """Ranks the first `asked` candidates, which carry their products, or as many as there is time for."""
        as_retrieved = tuple(map(OrderedCandidate, candidates))
        wanted = min(asked, len(candidates))
        if wanted == 0:
            return Ordered(as_retrieved)
        time_left_s = min(self._timeout_s, deadline.remaining_s() - self._reserve_s)
        depth = self._depth.fit(wanted, time_left_s)
        if depth == 0:
            return Ordered(as_retrieved, degradation=Degradation.RANK_DEPTH_REDUCED)
        started_s = monotonic()
        try:
            async with asyncio.timeout(time_left_s):
                ranking = await self._ranker.rank(
                    query, _rank_candidates(candidates, depth), deadline=Deadline.after(time_left_s)
                )
            ordered = _in_order(candidates, ranking)
        except (TimeoutError, DeadlineExceeded):
            self._depth.measured(depth, monotonic() - started_s)
            log.warning("ranker too slow, retrieval order served", depth=depth, waited_s=monotonic() - started_s)
            return Ordered(as_retrieved, degradation=Degradation.NOT_RANKED)
        except Exception as error:  # Only the retriever's loss fails a search.
            log.warning("ranker away, retrieval order served", error=repr(error))
            return Ordered(as_retrieved, degradation=Degradation.NOT_RANKED)
        self._depth.measured(depth, monotonic() - started_s)
        return Ordered(
            ordered,
            depth=depth,
            degradation=Degradation.RANK_DEPTH_REDUCED if depth < wanted else None,
        )


def _rank_candidates(candidates: Sequence[Candidate], depth: int) -> list[RankCandidate]:
    best_bm25 = max((_score(candidate, "lexical") for candidate in candidates), default=0.0)
    ranked = []
    for candidate in candidates[:depth]:
        if candidate.product is None:
            raise Internal(f"candidate {candidate.product_id} came without its product")
        evidence = Evidence(
            # Without a query vector 0 for all: the order is not touched by it.
            dense=_score(candidate, "dense"),
            lexical=_score(candidate, "lexical") / best_bm25 if best_bm25 > 0 else 0.0,
        )
        product = candidate.product
        ranked.append(RankCandidate(product.id, ranking_text(product), product.revision, evidence))
    return ranked


def _score(candidate: Candidate, source: str) -> float:
    return next((found.score for found in candidate.sources if found.source == source), 0.0)


def _in_order(candidates: Sequence[Candidate], ranking: Ranking) -> tuple[OrderedCandidate, ...]:
    by_id = {candidate.product_id: candidate for candidate in candidates}
    ordered = [
        OrderedCandidate(by_id.pop(ranked.id), RankScores(ranked.logit, ranked.score, ranked.probability))
        for ranked in ranking.ranked
    ]
    return (*ordered, *map(OrderedCandidate, by_id.values()))
