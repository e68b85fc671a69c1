"""What an arm of an experiment can set."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from gateway.recommendation.query import Source
from gateway.recommendation.settings import RecommendationSettings
from gateway.search import MAX_RANK_DEPTH, SearchQuery

# What a setting has no effect on is refused there.
OF_SEARCH = frozenset({"rank_depth", "personalize"})


class ArmSettings(BaseModel):
    """Settings in place of the gateway's own; None: as the gateway is set. What a call says itself goes before both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    diversity: Annotated[float, Field(ge=0, le=1)] | None = None
    exploration: Annotated[float, Field(ge=0, le=0.5)] | None = None
    interests: Annotated[StrictInt, Field(ge=1, le=20)] | None = None
    # False: as without a recommender.
    recommender: StrictBool | None = None
    # Factors on what sources contribute, by their names.
    source_weights: Mapping[Source, Annotated[float, Field(ge=0, le=100)]] = {}
    # The release that answers, by name; an arm names it beside its settings.
    release: str | None = None
    rank_depth: Annotated[StrictInt, Field(ge=0, le=MAX_RANK_DEPTH)] | None = None
    personalize: StrictBool | None = None

    def over(self, settings: RecommendationSettings) -> RecommendationSettings:
        """Settings of recommendation with the arm's own in place of them."""
        names = ("diversity", "exploration", "interests")
        own = {name: value for name in names if (value := getattr(self, name)) is not None}
        return settings.model_copy(update=own) if own else settings

    def of_search(self, search: SearchQuery) -> SearchQuery:
        """The search with the arm's settings where it says nothing itself."""
        return replace(
            search,
            rank_depth=self.rank_depth if search.rank_depth is None else search.rank_depth,
            personalize=self.personalize if search.personalize is None else search.personalize,
        )

    def with_those_of(self, other: "ArmSettings") -> "ArmSettings":
        """Both arms' settings; no setting is in both."""
        return self.model_copy(update={name: getattr(other, name) for name in other.model_fields_set})
