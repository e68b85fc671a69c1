"""Logits kept between calls: a query and a version of a product are read together once."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from prometheus_client import Counter, Gauge

from vitrine.ports import RankCandidate
from vitrine.vectors import FloatArray

_LOOKUPS = Counter("vitrine_ranker_kept_logits", "Pairs looked up among those kept with their logits", ["outcome"])
_KEPT = Gauge("vitrine_ranker_kept_logit_entries", "Pairs kept with their logits")


class KeptLogits:
    """At most `limit` logits of one model, by query, product id and revision; the one unused for longest goes first.

    An entry also names its text, as that of kept tokens does; evidence has no part in a logit. For the event loop.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[tuple[str, str, int], tuple[int, float]] = OrderedDict()

    def get(self, query: str, candidates: Sequence[RankCandidate]) -> dict[int, FloatArray]:
        """The logits that are kept, by the candidate's index; a candidate of revision 0 never has one."""
        found: dict[int, FloatArray] = {}
        for index, candidate in enumerate(candidates):
            key = (query, candidate.id, candidate.revision)
            entry = self._entries.get(key)
            if entry is not None and entry[0] == hash(candidate.text):
                self._entries.move_to_end(key)
                found[index] = np.array(entry[1], dtype=np.float32)
        _LOOKUPS.labels("hit").inc(len(found))
        _LOOKUPS.labels("miss").inc(len(candidates) - len(found))
        return found

    def put(self, query: str, candidate: RankCandidate, logit: FloatArray) -> None:
        """Keeps a logit, unless the candidate's revision is 0."""
        if candidate.revision == 0 or not self._limit:
            return
        before = len(self._entries)
        self._entries[query, candidate.id, candidate.revision] = hash(candidate.text), float(logit)
        self._entries.move_to_end((query, candidate.id, candidate.revision))
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        # Several engines share the gauge.
        _KEPT.inc(len(self._entries) - before)
