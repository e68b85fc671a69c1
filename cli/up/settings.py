"""What can be set of `vitrine up`: environment variables VITRINE_UP_…, besides those of the parts."""

from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveFloat
from pydantic_settings import BaseSettings, SettingsConfigDict


class UpSettings(BaseSettings):
    """How the suite is brought up."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_UP_", frozen=True)

    sample_products: NonNegativeInt = Field(2_000, description="products of the sample shop in an empty store; 0: none")
    sample_reviews: NonNegativeInt = Field(400, description="reviews of its first products at most; 0: none")
    sample_seed: NonNegativeInt = Field(1, description="seed of that sample shop")
    recommender: str = Field(
        "", description="folder of the recommender bundle, for embedder, retriever and gateway; empty: as each is set"
    )
    cache_dir: Path = Field(Path("data/cache"), description="working folder of the Redis that is started here")
    cache_megabytes: NonNegativeInt = Field(256, description="memory of that Redis; the least used keys make room")
    first_restart_s: PositiveFloat = Field(0.5, description="wait before an ended process is started again; doubles")
    max_restart_s: PositiveFloat = Field(30.0, description="longest such wait")

    @property
    def recommender_environment(self) -> dict[str, str]:
        """Variables that give the three parts their recommender; none where none is set here."""
        names = ("VITRINE_EMBEDDER_RECOMMENDER", "VITRINE_RETRIEVER_RECOMMENDER", "VITRINE_RECOMMENDATION_BUNDLE")
        return dict.fromkeys(names, self.recommender) if self.recommender else {}
