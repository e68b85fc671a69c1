"""The rank stage: the head of the retrieved candidates in the ranker's order, as deep as the time left allows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
class Ordered:
    """All candidates in their final order; `ranks` is what the ranker said of the first of them.

    Those it did not look at follow as retrieved: the scores of the two parts do not compare.
    """

    candidates: Sequence[Candidate]
    ranks: Sequence[RankScores] = ()
    degradation: Degradation | None = None
    query_tokens_dropped: int = 0


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
        wanted = min(asked, len(candidates))
        if wanted == 0:
            return Ordered(candidates)
        time_left_s = min(self._timeout_s, deadline.remaining_s() - self._reserve_s)
        depth = self._depth.fit(wanted, time_left_s)
        if depth == 0:
            return Ordered(candidates, degradation=Degradation.RANK_DEPTH_REDUCED)
        started_s = monotonic()
        try:
            async with asyncio.timeout(time_left_s):
                ranking = await self._ranker.rank(
                    query, _rank_candidates(candidates, depth), deadline=Deadline.after(time_left_s)
                )
            ordered = _in_order(candidates, depth, ranking)
        except (TimeoutError, DeadlineExceeded):
            self._depth.measured(depth, monotonic() - started_s)
            log.warning("ranker too slow, retrieval order served", depth=depth, waited_s=monotonic() - started_s)
            return Ordered(candidates, degradation=Degradation.NOT_RANKED)
        except Exception as error:  # Only the retriever's loss fails a search.
            log.warning("ranker away, retrieval order served", error=repr(error))
            return Ordered(candidates, degradation=Degradation.NOT_RANKED)
        self._depth.measured(depth, monotonic() - started_s)
        return ordered if depth == wanted else replace(ordered, degradation=Degradation.RANK_DEPTH_REDUCED)


def _rank_candidates(candidates: Sequence[Candidate], depth: int) -> list[RankCandidate]:
    # Not a generator within a generator: this runs over the whole window, on the event loop.
    bm25 = [found.score for candidate in candidates for found in candidate.sources if found.source == "lexical"]
    best_bm25 = max(bm25, default=0.0) or 1.0
    ranked = []
    for candidate in candidates[:depth]:
        product = candidate.product
        if product is None:
            raise Internal(f"candidate {candidate.product_id} came without its product")
        scores = {found.source: found.score for found in candidate.sources}
        # Without a query vector dense is 0 for all, so that the order does not follow it.
        evidence = Evidence(dense=scores.get("dense", 0.0), lexical=scores.get("lexical", 0.0) / best_bm25)
        ranked.append(RankCandidate(product.id, ranking_text(product), product.revision, evidence))
    return ranked


def _in_order(candidates: Sequence[Candidate], depth: int, ranking: Ranking) -> Ordered:
    head = {candidate.product_id: candidate for candidate in candidates[:depth]}
    ordered = [head.pop(ranked.id) for ranked in ranking.ranked]
    # What the ranker could not score stays behind what it could.
    return Ordered(
        candidates=[*ordered, *head.values(), *candidates[depth:]],
        ranks=[RankScores(ranked.logit, ranked.score, ranked.probability) for ranked in ranking.ranked],
        query_tokens_dropped=max((ranked.query_tokens_dropped for ranked in ranking.ranked), default=0),
    )
