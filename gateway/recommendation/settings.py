"""What can be set of recommendation: environment variables VITRINE_RECOMMENDATION_…"""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitrine.served_models import Folders


class RecommendationSettings(BaseSettings):
    """How visitors are recommended to."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_RECOMMENDATION_", frozen=True)

    answers_kept_s: NonNegativeFloat = Field(
        30.0,
        description="how long HOME shows who did nothing since the same, its products being as they were; 0: never",
    )
    bundle: str = Field(
        "", description="folder of the recommender bundle, the one that embedder and retriever serve; empty: none"
    )
    further_bundles: Folders = Field((), description="folders of more recommender bundles, with commas, for releases")
    diversity: float = Field(0.15, ge=0, le=1, description="what a kind or brand already shown costs; 0: nothing")
    events_timeout_s: PositiveFloat = Field(
        0.2, description="longest wait for the event store; then without history, by popularity as last known"
    )
    exploration: float = Field(
        0.1, ge=0, le=0.5, description="share of HOME's places that go to products nobody knows yet; 0: none"
    )
    popularity_kept_s: NonNegativeFloat = Field(
        5.0, description="how old a list of what is popular may be; histories are always of now"
    )
    search_taste: float = Field(
        0.03,
        ge=0,
        le=0.2,
        description="most that taste changes in how probable two search results are beside each other; 0: off",
    )
    interests: PositiveInt = Field(4, le=20, description="interests that a history is divided into at most")
    max_recommendations: PositiveInt = Field(128, description="calls inside at a time; more are refused at once")
