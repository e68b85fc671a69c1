"""What can be set of ingest: environment variables VITRINE_INGEST_…"""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class IngestSettings(BaseSettings):
    """Where products go, and how many travel at a time."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_INGEST_", frozen=True)

    target: str = Field("127.0.0.1:50051", description="gRPC target of the gateway")
    engine: Literal["stream", "ray"] = Field(
        "stream", description="who embeds: the gateway's embedder, or a Ray job beside it that writes to the retriever"
    )
    retriever_target: str = Field("127.0.0.1:50053", description="gRPC target of the retriever, for the engine ray")
    ray_address: str = Field("", description="Ray cluster that embeds (auto, ray://host:10001); empty: this machine")
    ray_workers: PositiveInt | None = Field(
        None, description="embedders of the Ray job, one processor each; unset: as many as the cluster has processors"
    )
    state_dir: Path = Field(Path("data/ingest"), description="folder of checkpoints and of reports of refused rows")
    batch_products: PositiveInt = Field(128, le=500, description="products in one request")
    batch_bytes: PositiveInt = Field(1024 * 1024, description="bytes after which a request is full")
    window: PositiveInt = Field(4, le=16, description="requests under way that are not acknowledged yet")
    stream_timeout_s: PositiveFloat = Field(600.0, description="age at which a stream is left for a new one")
    first_backoff_s: PositiveFloat = Field(0.2, description="wait before the first new attempt; doubles to 10 s")
    call_timeout_s: PositiveFloat = Field(60.0, description="time for one call that is no stream")
    give_up_s: PositiveFloat = Field(300.0, description="time without an acknowledgement after which ingest stops")
    currency_code: str = Field("", description="ISO 4217 code of prices that name no currency")
    encoding: str = Field("", description="encoding of a feed's text; empty: found by what the feed holds")
    max_gone_share: float = Field(
        0.3, ge=0, le=1, description="share of a feed's products that --sync deletes without --force"
    )
