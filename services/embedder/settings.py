"""What can be set of the embedder: environment variables VITRINE_EMBEDDER_…, those of every server among them."""

from pathlib import Path

from pydantic import Field, NonNegativeInt
from pydantic_settings import SettingsConfigDict

from vitrine.batching import BatchSettings
from vitrine.inference import Runtime
from vitrine.served_models import Folders
from vitrine.server_settings import ServerSettings


class EmbedderSettings(ServerSettings):
    """The embedder's settings."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_EMBEDDER_", env_nested_delimiter="__", frozen=True)

    port: NonNegativeInt = Field(50052, le=65_535, description="port to listen on; 0 takes a free one")
    bundle: Path = Field(Path("models/embedder"), description="folder of the embedder bundle")
    further_bundles: Folders = Field((), description="folders of more embedder bundles, with commas, for releases")
    recommender: str = Field("", description="folder of the recommender bundle that encodes histories; empty: none")
    further_recommenders: Folders = Field((), description="folders of more recommender bundles, with commas")
    runtime: Runtime = Field("onnxruntime", description="what runs the model: onnxruntime or torch")
    self_test_cosine: float = Field(
        0.99, gt=0, le=1, description="least cosine to the known vector: int8 kernels differ a little by processor"
    )
    batch: BatchSettings = BatchSettings()
