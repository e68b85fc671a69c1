"""What can be set of suggestions: environment variables VITRINE_SUGGEST_…"""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class SuggestSettings(BaseSettings):
    """Which past queries are suggested."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_SUGGEST_", frozen=True)

    past_queries: NonNegativeInt = Field(
        20_000, le=1_000_000, description="past queries kept to be suggested, those asked most; 0: none"
    )
    least_weight: PositiveFloat = Field(
        2.5,
        description="weight that a past query needs: a visitor gives it 1, halved with each half-life of the events; "
        "above 2 are 3 visitors or more, and below 1 a single one's words are shown to all",
    )
    refresh_s: PositiveFloat = Field(60.0, description="how often past queries are read anew from the event store")
    max_suggests: PositiveInt = Field(256, description="calls inside at a time; more are refused at once")
