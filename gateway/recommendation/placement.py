"""A placement: what recommends for one place on the page, and what it is told of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.notes import Notes
from gateway.recommendation.candidates import Wanted
from gateway.recommendation.query import Recommendation, RecommendQuery
from gateway.recommendation.settings import RecommendationSettings
from gateway.recommendation.taste import Taste
from vitrine.ports import VisitorAction


@dataclass(frozen=True, slots=True)
class Visit:
    """One call on its way: what is asked, what is known of the visitor (history newest first), what results meet.

    `settings` are those of this call. `use_recommender` False: as where none is served. `source_weights` are factors on
    contributions, by a Source's value.
    """

    query: RecommendQuery
    history: Sequence[VisitorAction]
    taste: Taste
    wanted: Wanted
    notes: Notes
    settings: RecommendationSettings
    attribution_token: str
    use_recommender: bool = True
    source_weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """Recommendations in their order, each with a reason, at most `page_size`; and anchors that are not known."""

    results: Sequence[Recommendation]
    missing_ids: tuple[str, ...] = ()


class PlacementRecommender(Protocol):
    """Recommends for one placement."""

    async def recommend(self, visit: Visit) -> Listing:
        """What to show; fewer than `page_size` where no more may be shown.

        What is missing besides the retriever is noted and no error.
        """
        ...
