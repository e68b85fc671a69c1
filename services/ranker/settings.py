"""What can be set of the ranker: environment variables VITRINE_RANKER_…, those of every server among them."""

from pathlib import Path

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import SettingsConfigDict

from vitrine.batching import BatchSettings
from vitrine.inference import Runtime
from vitrine.served_models import Folders
from vitrine.server_settings import ServerSettings


class RankerSettings(ServerSettings):
    """The ranker's settings."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_RANKER_", env_nested_delimiter="__", frozen=True)

    port: NonNegativeInt = Field(50054, le=65_535, description="port to listen on; 0 takes a free one")
    bundle: Path = Field(Path("models/ranker"), description="folder of the ranker bundle")
    further_bundles: Folders = Field((), description="folders of more ranker bundles, with commas, for releases")
    runtime: Runtime = Field("onnxruntime", description="what runs the model: onnxruntime or torch")
    max_query_tokens: PositiveInt = Field(
        64, description="tokens of a query that are always kept; at most half of the model's window"
    )
    kept_texts: NonNegativeInt = Field(100_000, description="product texts kept as tokens between queries")
    kept_logits: NonNegativeInt = Field(
        50_000, description="pairs of query and product kept with their logits, about 300 bytes each; 0: none"
    )
    missed_results: NonNegativeFloat = Field(
        0.1,
        description="results of a page that may be missed, on average, by leaving the unlikely unscored; 0: none",
    )
    self_test_tolerance: PositiveFloat = Field(
        0.5, description="how far the known pair's logit may be off: int8 kernels differ by processor"
    )
    batch: BatchSettings = BatchSettings()
