"""The rank stage: the head of the retrieved candidates in the ranker's order, as deep as the time left allows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import structlog

from gateway.experiments.interleaving import team_draft
from gateway.rank_depth import PROBE, RankDepth
from gateway.releases.current import current_release
from gateway.search import Degradation, Personal, RankScores
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal
from vitrine.ports import BareCandidates, Candidate, Evidence, RankCandidate, RankedCandidate, Ranker, Ranking
from vitrine.product_text import ranking_text

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ordered:
    """All candidates in their final order; `ranks` is what the ranker said of the first of them.

    Those it did not look at follow as retrieved: the scores of the two parts do not compare. In an order made of two,
    one of the first may be without (None). `personal` is what taste added, by product id, where it had a say. `rest`
    are those after the candidates.
    """

    candidates: Sequence[Candidate]
    ranks: Sequence[RankScores | None] = ()
    degradation: Degradation | None = None
    query_tokens_dropped: int = 0
    personal: Mapping[str, Personal] = field(default_factory=dict)
    rest: BareCandidates = field(default_factory=BareCandidates)


class RankStage:
    """Orders candidates; whatever is wrong with the ranker, there is an order."""

    def __init__(self, ranker: Ranker, depth: RankDepth, *, timeout_s: float, reserve_s: float) -> None:
        """The ranker gets at most `timeout_s`, and leaves `reserve_s` of the caller's time for the answer."""
        self._ranker = ranker
        self._depths = {"": depth}
        self._timeout_s = timeout_s
        self._reserve_s = reserve_s

    async def order(
        self,
        query: str,
        candidates: Sequence[Candidate],
        *,
        best_bm25: float,
        asked: int,
        deadline: Deadline,
        shown: int | None = None,
    ) -> Ordered:
        """Ranks the first `asked` candidates, which carry their products, or as many as there is time for.

        With `shown`, those of them that would hardly come among so many of the first stay as retrieved.

        In one call, of as many as are expected to take half of the time, or, since the ranker then stops by itself, of
        all where `shown` of them are. While nobody knows what takes how long, a head first, so that on a slow machine
        it at least is ranked; and more where a call cost nothing.
        """
        wanted = min(asked, len(candidates))
        if wanted == 0:
            return Ordered(candidates)
        ends = Deadline.after(min(self._timeout_s, deadline.remaining_s() - self._reserve_s))
        waiting = rank_candidates(candidates[:wanted], best_bm25)
        ranked: list[RankedCandidate] = []
        looked_at = 0
        scored: Ranking | None = None
        fitted = self._depth
        # Pairs whose logits were kept tell no cost: then the next are a probe as the first were. And no more is asked
        # after pairs that were read: a search that took what is left of its time would slow down those behind it.
        while depth := fitted.fit(
            wanted - looked_at,
            ends.remaining_s(),
            is_first=not looked_at or fitted.pair_cost_s is None,
            enough=shown,
        ):
            scored = await self._scored(query, waiting[looked_at : looked_at + depth], ends, shown)
            if scored is None:
                break
            ranked += scored.ranked
            looked_at += depth
            if scored.cut_short or (scored.read_pairs and depth > PROBE):
                break
        if looked_at == wanted and not (scored and scored.cut_short):
            degradation = None
        elif looked_at or depth == 0:
            degradation = Degradation.RANK_DEPTH_REDUCED
        else:
            degradation = Degradation.NOT_RANKED
        return _in_order(candidates, looked_at, ranked, degradation)

    @property
    def _depth(self) -> RankDepth:
        """What is known of the cost of the ranker that this call asks."""
        digest = current_release().ranker_digest
        if digest not in self._depths:
            self._depths[digest] = self._depths[""].another()
        return self._depths[digest]

    async def _scored(
        self, query: str, candidates: Sequence[RankCandidate], ends: Deadline, shown: int | None
    ) -> Ranking | None:
        """What the ranker says of some candidates; None, logged, when it is away or not done by `ends`."""
        started_s = monotonic()
        try:
            async with asyncio.timeout(ends.remaining_s()):
                ranking = await self._ranker.rank(
                    query, candidates, deadline=ends, model_digest=current_release().ranker_digest, shown=shown
                )
            unseen = {candidate.id for candidate in candidates}
            for one in ranking.ranked:
                unseen.remove(one.id)  # an id that was not asked for, or comes twice, is the ranker's fault
        except (TimeoutError, DeadlineExceeded):
            self._depth.given_up()
            log.warning("ranker too slow, rest as retrieved", pairs=len(candidates), waited_s=monotonic() - started_s)
            return None
        except Exception as error:  # Only the retriever's loss fails a search.
            log.warning("ranker away, rest as retrieved", error=repr(error))
            return None
        if ranking.read_pairs:
            self._depth.measured(ranking.read_pairs, monotonic() - started_s)
        return ranking


def interleaved(first: Ordered, second: Ordered, seed: str) -> tuple[Ordered, Sequence[int]]:
    """Two orders as one, and which of them (0, 1) gave each of the first results, as `team_draft` says.

    So far as one of them is ranked; what follows stands as retrieved. Two releases may have found other candidates.
    """
    candidates: dict[str, Candidate | float] = {}
    for order in (first, second):
        candidates.update((one.product_id, one) for one in order.candidates)
        for product_id, score in zip(order.rest.product_ids, order.rest.scores, strict=True):
            if not isinstance(candidates.get(product_id), Candidate):
                candidates[product_id] = score
    ranks = {
        candidate.product_id: rank
        for order in (second, first)
        for candidate, rank in zip(order.candidates, order.ranks, strict=False)
        if rank is not None
    }
    count = max(len(first.ranks), len(second.ranks))
    orders = ([one.product_id for one in first.candidates], [one.product_id for one in second.candidates])
    drafted = team_draft(orders, count, seed)
    head = [one for product_id, _ in drafted if isinstance(one := candidates.pop(product_id), Candidate)]
    whole: list[Candidate] = []
    for one in candidates.values():
        if not isinstance(one, Candidate):
            break
        whole.append(one)
    bare = list(candidates.items())[len(whole) :]
    return replace(
        first,
        candidates=[*head, *whole],
        rest=BareCandidates(
            [product_id for product_id, _ in bare],
            [one.score if isinstance(one, Candidate) else one for _, one in bare],
        ),
        ranks=[ranks.get(one.product_id) for one in head],
        degradation=first.degradation or second.degradation,
        query_tokens_dropped=max(first.query_tokens_dropped, second.query_tokens_dropped),
        personal={**second.personal, **first.personal},
    ), [team for _, team in drafted]


def rank_candidates(candidates: Sequence[Candidate], best_bm25: float) -> list[RankCandidate]:
    """Candidates, which carry their products, as the ranker is asked: their text and evidence.

    `best_bm25` is the best of all that were retrieved with them. Training asks here too, so that a model learns on the
    very evidence that it is served.
    """
    ranked = []
    for candidate in candidates:
        product = candidate.product
        if product is None:
            raise Internal(f"candidate {candidate.product_id} came without its product")
        scores = {found.source: found.score for found in candidate.sources}
        # Without a query vector dense is 0 for all, so that the order does not follow it.
        evidence = Evidence(dense=scores.get("dense", 0.0), lexical=scores.get("lexical", 0.0) / (best_bm25 or 1.0))
        ranked.append(RankCandidate(product.id, ranking_text(product), product.revision, evidence))
    return ranked


def _in_order(
    candidates: Sequence[Candidate], depth: int, ranked: list[RankedCandidate], degradation: Degradation | None
) -> Ordered:
    # By score, ties by id, as the ranker orders the candidates of one call.
    ranked.sort(key=lambda one: (-one.score, one.id))
    head = {candidate.product_id: candidate for candidate in candidates[:depth]}
    ordered = [head.pop(one.id) for one in ranked]
    # What the ranker did not score stays behind what it did.
    return Ordered(
        candidates=[*ordered, *head.values(), *candidates[depth:]],
        ranks=[RankScores(one.logit, one.score, one.probability) for one in ranked],
        degradation=degradation,
        query_tokens_dropped=max((one.query_tokens_dropped for one in ranked), default=0),
    )
