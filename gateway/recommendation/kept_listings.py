"""Kept listings: what HOME showed a visitor, shown again while the visitor does nothing and its products are the same.

A listing is kept under what is known of the visitor, what is asked, and what release and arms set, and its products are
read before it is shown: so an event, a flip or a change of one of them ends it at once. What other visitors turn to
meanwhile, what is new in the catalogue, and the time that passes, count after some seconds.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter

from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import RecommendQuery
from gateway.recommendation.settings import RecommendationSettings
from gateway.recommendation.taste import Taste
from gateway.releases.current import current_release
from vitrine.ports import Retriever
from vitrine.ports.release import Release

# Each takes some 40 kB.
_MOST = 500


@dataclass(frozen=True, slots=True)
class _Key:
    """What a listing depends on."""

    query: RecommendQuery
    taste: Taste
    settings: RecommendationSettings
    use_recommender: bool
    source_weights: tuple[tuple[str, float], ...]
    release: Release


class KeptListings:
    """The listings of visitors with a history; of others everybody's events are news."""

    def __init__(self, retriever: Retriever, kept_s: float) -> None:
        """Each is kept for `kept_s`; 0: none is."""
        self._retriever = retriever
        self._kept_s = kept_s
        self._kept: OrderedDict[_Key, tuple[Listing, asyncio.TimerHandle]] = OrderedDict()

    async def listing(self, visit: Visit, make: Callable[[], Awaitable[Listing]]) -> Listing:
        """What was kept for such a visit, which its notes tell as the stage "kept"; else what `make` gives.

        Raises what `make` and the retriever raise.
        """
        if not self._kept_s or not visit.taste.liked:
            return await make()
        started_s = perf_counter()
        weights = tuple(sorted(visit.source_weights.items()))
        key = _Key(visit.query, visit.taste, visit.settings, visit.use_recommender, weights, current_release())
        if (kept := self._kept.get(key)) is not None and await self._is_of_now(kept[0], visit):
            visit.notes.timings_ms["kept"] = (perf_counter() - started_s) * 1_000
            return kept[0]
        listing = await make()
        if not visit.notes.degradations:
            self._keep(key, listing)
        return listing

    async def _is_of_now(self, kept: Listing, visit: Visit) -> bool:
        """Whether all its products are there as they were and may be shown."""
        shown = {one.product.id: one.product.revision for one in kept.results}
        if not shown:
            return False
        wanted = visit.wanted
        found = await self._retriever.get_products(list(shown), deadline=wanted.deadline, filter=wanted.filter)
        return shown == {product.id: product.revision for product in found.products}

    def _keep(self, key: _Key, listing: Listing) -> None:
        self._forget(key)
        # By a timer, so that what is known of a visitor who was erased is not left until others come.
        timer = asyncio.get_running_loop().call_later(self._kept_s, self._forget, key)
        self._kept[key] = listing, timer
        if len(self._kept) > _MOST:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: _Key) -> None:
        """Drops a listing with its timer, which would hold its key, and end a later listing's time."""
        if (kept := self._kept.pop(key, None)) is not None:
            kept[1].cancel()
