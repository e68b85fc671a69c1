"""What can be set of ingest: environment variables VITRINE_INGEST_…"""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class IngestSettings(BaseSettings):
    """Where products go, and how many travel at a time."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_INGEST_", frozen=True)

    target: str = Field("127.0.0.1:50051", description="gRPC target of the gateway")
    state_dir: Path = Field(Path("data/ingest"), description="folder of checkpoints and of reports of refused rows")
    batch_products: PositiveInt = Field(128, le=500, description="products in one request")
    batch_bytes: PositiveInt = Field(1024 * 1024, description="bytes after which a request is full")
    window: PositiveInt = Field(4, le=16, description="requests under way that are not acknowledged yet")
    stream_timeout_s: PositiveFloat = Field(600.0, description="age at which a stream is left for a new one")
    first_backoff_s: PositiveFloat = Field(0.2, description="wait before the first new attempt; doubles to 10 s")
    give_up_s: PositiveFloat = Field(300.0, description="time without an acknowledgement after which ingest stops")
