"""What can be set of the event store: environment variables VITRINE_EVENTS_…"""

from pathlib import Path

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class EventsSettings(BaseSettings):
    """Where events are kept, and for how long what follows from them."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_EVENTS_", frozen=True)

    redis_url: str = Field("", description="Redis or Valkey of the events; empty: none, or the one of `vitrine up`")
    prefix: str = Field("vitrine", description="start of each key: one for each deployment on a Redis")
    command_timeout_s: PositiveFloat = Field(5.0, description="time after which a command has failed")
    max_writes: PositiveInt = Field(64, description="writes inside at a time; more are refused at once")
    history_actions: PositiveInt = Field(200, le=1_000, description="latest actions kept of a visitor's history")
    history_days: PositiveFloat = Field(180.0, description="a history is dropped so long after its last event")
    half_life_days: PositiveFloat = Field(7.0, ge=0.1, description="time in which an event's popularity halves")
    trend_half_life_days: PositiveFloat = Field(
        1.0, ge=0.1, description="the same of the counts that a trend is told by: shorter than half_life_days"
    )
    fresh_minutes: NonNegativeFloat = Field(
        30.0, description="a visitor is fresh so long after the first event: what many fresh ones do is capped"
    )
    fresh_weight: NonNegativeFloat = Field(20.0, description="popularity that fresh visitors alone give a product")
    fresh_ratio: NonNegativeFloat = Field(4.0, description="and beside known visitors, for each 1 of theirs")
    popular_products: PositiveInt = Field(100_000, description="products counted in a category or country")
    visitor_products: PositiveInt = Field(100, description="products a day that one visitor makes more popular")
    visitor_queries: PositiveInt = Field(200, description="different queries that one visitor makes more popular")
    data_dir: Path = Field(Path("data/events"), description="folder of the store that `vitrine up` starts")
    megabytes: PositiveInt = Field(1024, description="memory of that store; when it is full, events are refused")
