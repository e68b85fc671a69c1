"""Fused recommendation: what a recommender learned, over everything else that is known, in one score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import fsum

import numpy as np
import structlog
from numpy.typing import NDArray

from gateway.recommendation.columns import Evidence, columns_of
from gateway.recommendation.evidence import EvidenceSources, Gathered, Subject
from gateway.recommendation.features import features
from gateway.recommendation.fused_reasons import reasons_of
from gateway.recommendation.fusion import SOURCES, Fusion
from gateway.recommendation.placement import Visit
from gateway.recommendation.query import Recommendation
from gateway.releases.current import current_release
from gateway.search import Degradation
from vitrine.errors import FailedPrecondition
from vitrine.ports import Related, RelatedQuery, Relation, Retriever
from vitrine.vectors import FloatArray

log = structlog.get_logger(__name__)

# Candidates of each source, at least and at most, by how many are shown. Learning sees 100; on Beauty the first 10 are
# as good with 40.
_LEAST_DEPTH, _MOST_DEPTH, _DEPTH_A_PLACE = 40, 100, 3
# The newest products are candidates too, so that what nobody knows yet can be shown, and a list is full.
_NEWEST = 20
_MAX_SCORED = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Candidates (n,) by score, best first, ties by id, with all that made their scores.

    `probabilities` (n,) of a click; `contributions` (n, groups) float32; `features` (n, F) float32.
    """

    related: Related
    probabilities: NDArray[np.float64]
    contributions: FloatArray
    features: FloatArray
    evidence: Evidence

    def recommendation(self, place: int) -> Recommendation:
        """The candidate at a place, from 0, with its reasons."""
        candidate = self.related.candidate(place)
        reasons = reasons_of(candidate, self.contributions[place], self.features[place], self.evidence)
        return Recommendation(candidate.product, fsum(reason.contribution for reason in reasons), reasons)

    def only(self, places: Sequence[int]) -> "Scored":
        """The same of the candidates at these places."""
        return replace(
            self,
            related=self.related.at(places),
            probabilities=self.probabilities[places],
            contributions=self.contributions[places],
            features=self.features[places],
        )


class Fused:
    """Recommends by the fusion model."""

    def __init__(self, fusion: Fusion, sources: EvidenceSources, retriever: Retriever) -> None:
        self._fusion = fusion
        self._sources = sources
        self._retriever = retriever

    async def scored(
        self, subject: Subject, visit: Visit, *, goes_with: bool = False, only: Sequence[str] = ()
    ) -> Scored | None:
        """What suits the subject; of `only` where these are named, at most 1,000.

        None, and noted, when the recommender is not served by the others, or is another one there. Raises what the
        retriever raises.
        """
        gathered = await self._sources.gathered(subject, visit)
        try:
            with visit.notes.timed("retrieve"):
                related = await self._related(subject, visit, gathered, only)
        except FailedPrecondition as error:
            log.warning("recommender away, recommended without", error=error.message)
            visit.notes.degradations.append(Degradation.NO_RECOMMENDER)
            return None
        with visit.notes.timed("fuse"):
            return await self._fused(related, gathered.evidence, len(subject.anchors), visit, goes_with)

    async def _related(self, subject: Subject, visit: Visit, gathered: Gathered, only: Sequence[str]) -> Related:
        depth = min(max(_LEAST_DEPTH, _DEPTH_A_PLACE * visit.query.page_size), _MOST_DEPTH)
        vector, digest = gathered.vector or (None, current_release().recommender_digest)
        query = RelatedQuery(
            anchors=tuple(subject.anchors),
            history_vector=vector,
            recommender_digest=digest,
            relations=() if only or not subject.anchors else tuple(Relation),
            scored_ids=tuple((only or gathered.ids(depth))[:_MAX_SCORED]),
            filter=visit.wanted.filter,
            excluded_ids=tuple(sorted(visit.wanted.excluded)),
            depth=depth,
            newest=0 if only else max(_NEWEST, visit.query.page_size),
        )
        related = await self._retriever.retrieve_related(query, deadline=visit.wanted.deadline)
        if related.recommender_digest != self._fusion.digest:
            raise FailedPrecondition(
                f"the retriever serves recommender {related.recommender_digest} and the gateway {self._fusion.digest};"
                " let both serve the same one",
                reason="RECOMMENDER_MISMATCH",
            )
        return related

    async def _fused(
        self, related: Related, evidence: Evidence, history_length: int, visit: Visit, goes_with: bool
    ) -> Scored:
        count = len(related.products)
        read = features(columns_of(related, evidence, datetime.now(UTC)), history_length, count, goes_with)
        weights = [visit.source_weights.get(source.value, 1.0) for source in SOURCES]
        contributions = await self._fusion.contributions(read) * np.array(weights, np.float32)
        scores = contributions.sum(axis=1, dtype=np.float64)
        order = np.lexsort((np.arange(count), -scores))  # candidates come by id
        return Scored(
            related.at(order),
            self._fusion.probabilities(scores[order]),
            contributions[order],
            read[order],
            evidence,
        )
