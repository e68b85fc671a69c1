"""What can be set of recommendation: environment variables VITRINE_RECOMMENDATION_…"""

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class RecommendationSettings(BaseSettings):
    """How visitors are recommended to."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_RECOMMENDATION_", frozen=True)

    diversity: float = Field(0.15, ge=0, le=1, description="what a kind or brand already shown costs; 0: nothing")
    events_timeout_s: PositiveFloat = Field(
        0.2, description="longest wait for the event store; then without history, by popularity as last known"
    )
    interests: PositiveInt = Field(4, le=20, description="interests that a history is divided into at most")
    max_recommendations: PositiveInt = Field(128, description="calls inside at a time; more are refused at once")
