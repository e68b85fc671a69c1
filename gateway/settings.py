"""What can be set of the gateway: environment variables VITRINE_GATEWAY_…"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import SettingsConfigDict

from gateway.cors import checked_origins
from gateway.search import MAX_RANK_DEPTH
from vitrine.comma_list import CommaList
from vitrine.errors import FailedPrecondition
from vitrine.server_settings import ServerSettings
from vitrine.tls import ServerTls, TlsSettings, identity_of
from vitrine.vectors import VectorDtype


class GatewaySettings(ServerSettings):
    """The gateway's settings."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_GATEWAY_", frozen=True, populate_by_name=True)

    port: NonNegativeInt = Field(50_051, le=65_535, description="gRPC port; 0 takes a free one")
    http_port: NonNegativeInt = Field(8_080, le=65_535, description="HTTP/JSON port; 0 takes a free one")
    storefront: bool = Field(True, description="whether the HTTP port serves the shop's page at /")
    ops: bool = Field(False, description="whether the operators' page is served at /ops, and OpsService answers")
    ops_processes: CommaList = Field(
        (), description="addresses of metrics, host:port with commas, that /ops shows; empty: this process alone"
    )
    cors_origins: Annotated[CommaList, AfterValidator(checked_origins)] = Field(
        (),
        description="origins whose pages may call over HTTP (https://shop.example), with commas; *: all; empty: none",
    )
    max_body_bytes: PositiveInt = Field(1024 * 1024, description="largest HTTP request body")
    tls_certificate: Path | None = Field(
        None, description="certificate to show to callers, PEM, gRPC and HTTP; unset: VITRINE_TLS_CERTIFICATE"
    )
    tls_key: Path | None = Field(None, description="its private key, PEM")
    tls_client_ca: Path | None = Field(
        None, description="authorities of callers, PEM: who shows no certificate of theirs is refused; unset: all may"
    )
    embedder_target: str = Field("dns:///127.0.0.1:50052", description="gRPC target of the embedder")
    retriever_target: str = Field("dns:///127.0.0.1:50053", description="gRPC target of the retriever")
    ranker_target: str = Field("dns:///127.0.0.1:50054", description="gRPC target of the ranker")

    release_recall_floor: float = Field(0.95, ge=0, le=1, description="recall@10 below which a release may not serve")
    release_ndcg_loss: float = Field(
        0.02, ge=0, le=1, description="nDCG@10 that a release may have less than the one that serves, at worst"
    )
    releases_follow_s: PositiveFloat = Field(1.0, description="how old what is known of releases may be, in seconds")

    redis_url: str = Field(
        "",
        validation_alias=AliasChoices("VITRINE_GATEWAY_REDIS_URL", "REDIS_URL"),
        description="Redis or Valkey that keeps query vectors (also read from REDIS_URL); empty: none",
    )
    cache_is_own: bool = Field(
        False,
        description="nobody else uses redis_url, which starts empty with the gateway: it is asked for a vector only"
        " when more than kept_vectors were made",
    )
    cache_prefix: str = Field("vitrine", description="start of each Redis key: one for each deployment on a Redis")
    cache_dtype: VectorDtype = Field("float32", description="numbers in Redis; float16 halves them, scores move a bit")
    cache_ttl_s: PositiveFloat = Field(7 * 24 * 3600.0, description="how long a query vector is kept in Redis")
    cache_ttl_jitter: NonNegativeFloat = Field(0.1, lt=1, description="share by which that time varies from key to key")
    cache_wait_s: PositiveFloat = Field(0.005, description="longest that a search waits for Redis")
    cache_command_timeout_s: PositiveFloat = Field(0.25, description="time after which a Redis command has failed")
    cache_breaker_failures: PositiveInt = Field(5, description="failures in a row after which Redis is left alone")
    cache_breaker_cool_down_s: PositiveFloat = Field(1.0, description="how long Redis is then left alone")
    kept_vectors: NonNegativeInt = Field(4_096, description="query vectors kept in the process, in front of Redis")

    kept_answers_mb: NonNegativeInt = Field(
        64, description="memory of answers kept whole while index and models are the same, about 10 kB each; 0: none"
    )

    embed_timeout_s: PositiveFloat = Field(1.0, description="longest wait for a query vector; then words alone search")
    retrieve_patience_s: PositiveFloat = Field(
        0.5, description="longest wait for one retriever; then another is asked, as long as few are slow"
    )
    rank_depth: NonNegativeInt = Field(
        32, le=MAX_RANK_DEPTH, description="candidates given to the ranker when the request does not say; 0: none"
    )
    rank_timeout_s: PositiveFloat = Field(1.0, description="longest wait for the ranker; then retrieval order")
    rank_reserve_s: NonNegativeFloat = Field(0.02, description="time kept for the answer after the ranker")
    result_window: PositiveInt = Field(
        500, ge=MAX_RANK_DEPTH, le=1_000, description="results of a search that can be paged through"
    )
    max_searches: PositiveInt = Field(128, description="searches inside at a time; more are refused at once")
    searches_at_a_time: PositiveInt = Field(24, description="of them, how many are worked on while the others wait")
    max_writes: PositiveInt = Field(16, description="upserts inside at a time; more are refused at once")
    write_timeout_s: PositiveFloat = Field(60.0, description="time limit of one upsert of a stream without a deadline")

    def tls(self, suite: TlsSettings) -> ServerTls | None:
        """How callers reach the gateway; None: in the clear. Raises FailedPrecondition when half a pair is set."""
        identity = identity_of(self.tls_certificate, self.tls_key, "VITRINE_GATEWAY_TLS_")
        if identity is None:
            identity = identity_of(suite.certificate, suite.key, "VITRINE_TLS_")
        if identity is None:
            if self.tls_client_ca is not None:
                raise FailedPrecondition("VITRINE_GATEWAY_TLS_CLIENT_CA needs VITRINE_GATEWAY_TLS_CERTIFICATE and _KEY")
            return None
        return ServerTls(identity, self.tls_client_ca)
