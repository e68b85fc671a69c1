"""The gates of a release: what it is measured by against the release that serves, before it may serve itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, stdev

from gateway.notes import Notes
from gateway.search import SearchQuery, checked_query
from gateway.search_orders import SearchOrders, Turn
from vitrine.deadline import Deadline
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import RetrievalQuery
from vitrine.ports.release import Release, ReleaseGates

MAX_QUERIES = 2_000
DEPTH = 10
# Of fewer queries an interval says nothing.
_LEAST_QUERIES = 2


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query, and how well products answer it: gains by id, >= 0."""

    query: str
    gains: Mapping[str, float]


class Gates:
    """Asks both releases the same queries, as a search does, and compares what they show first."""

    def __init__(
        self, orders: SearchOrders, *, rank_depth: int, result_window: int, recall_floor: float, ndcg_loss: float
    ) -> None:
        """A release fails with recall below `recall_floor`, or where nDCG@10 may be lower by more than `ndcg_loss`."""
        self._orders = orders
        self._rank_depth = rank_depth
        self._result_window = result_window
        self._recall_floor = recall_floor
        self._ndcg_loss = ndcg_loss

    async def measured(
        self,
        release: Release,
        serving: Release,
        recall: float | None,
        queries: Sequence[JudgedQuery],
        *,
        deadline: Deadline,
    ) -> ReleaseGates:
        """The gates' values and faults; `recall` None: the vectors are the catalogue's own. Raises as a search does."""
        pairs = [
            (await self._ndcg(one, release, deadline), await self._ndcg(one, serving, deadline)) for one in queries
        ]
        own, others = fmean(pair[0] for pair in pairs) if pairs else 0.0, fmean(p[1] for p in pairs) if pairs else 0.0
        low = _low([one - other for one, other in pairs])
        faults = []
        if recall is not None and recall < self._recall_floor:
            faults.append(f"recall@10 of its index is {recall:.3f}, below {self._recall_floor}")
        if pairs and low < -self._ndcg_loss:
            faults.append(
                f"nDCG@10 is {own:.4f} over {len(pairs):,} queries, {others:.4f} of the release that serves: the"
                f" difference may be {low:.4f}, below -{self._ndcg_loss}"
            )
        return ReleaseGates(datetime.now(UTC), recall, len(pairs), own, others, low, tuple(faults))

    async def _ndcg(self, judged: JudgedQuery, release: Release, deadline: Deadline) -> float:
        """nDCG@10 of what a release shows (Järvelin and Kekäläinen 2002, gains as given)."""
        search = SearchQuery(judged.query, page_size=DEPTH, personalize=False)
        words = RetrievalQuery(checked_query(search), depth=self._result_window, product_limit=self._rank_depth)
        turn = Turn(search, self._rank_depth, release)
        _, (ordered,) = await self._orders.orders(words, [turn], Notes(), deadline)
        shown = [judged.gains.get(one.product_id, 0.0) for one in ordered.candidates[:DEPTH]]
        best = sorted(judged.gains.values(), reverse=True)[:DEPTH]
        return _dcg(shown) / _dcg(best)


def check_queries(queries: Sequence[JudgedQuery]) -> None:
    """Raises InvalidArgument naming what is wrong with judged queries."""
    violations = []
    if len(queries) > MAX_QUERIES:
        violations.append(FieldViolation("queries", f"has {len(queries)} entries; at most {MAX_QUERIES} are allowed"))
    for index, one in enumerate(queries[:MAX_QUERIES]):
        try:
            checked_query(SearchQuery(one.query))
        except InvalidArgument as error:
            violations += error.within(f"queries[{index}]").violations
        gains = one.gains.values()
        if not all(math.isfinite(gain) and gain >= 0 for gain in gains) or not any(gains):
            violations.append(FieldViolation(f"queries[{index}].gains", "has no gain above 0, or one that is below"))
    if violations:
        raise InvalidArgument(*violations)


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def _low(differences: Sequence[float]) -> float:
    """Low end of the mean's 95 % interval, normal over queries."""
    if len(differences) < _LEAST_QUERIES:
        return min(differences, default=0.0)
    return fmean(differences) - 1.96 * stdev(differences) / math.sqrt(len(differences))
