"""What every serving process can be told: where it listens, its limits, and how it stops."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitrine.logs import CallLogLevel

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
# A server that allows fewer pings than its clients send closes their connections, so both sides read these.
KEEPALIVE_TIME_S = 5.0
KEEPALIVE_TIMEOUT_S = 5.0
MIN_PING_INTERVAL_S = 2.0


class ServerSettings(BaseSettings):
    """Settings of one server; each service inherits them with its own prefix (VITRINE_EMBEDDER_PORT) and port."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_SERVER_", frozen=True)

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: NonNegativeInt = Field(0, le=65_535, description="port to listen on; 0 takes a free one")
    default_timeout_s: PositiveFloat = Field(10.0, description="time limit of a call whose client sets no deadline")
    grace_s: float = Field(8.0, ge=0, description="time that calls in flight get to finish after SIGTERM")
    max_message_bytes: PositiveInt = Field(MAX_MESSAGE_BYTES, description="largest request and largest answer")
    max_connection_age_s: PositiveFloat = Field(
        20.0, description="age at which a connection is closed gracefully, so that clients find new replicas"
    )
    min_ping_interval_s: PositiveFloat = Field(
        MIN_PING_INTERVAL_S, description="clients that ping more often are sent away, and then ping half as often"
    )
    self_test_interval_s: PositiveFloat = Field(5.0, description="time between two self-tests")
    self_test_timeout_s: PositiveFloat = Field(10.0, description="a self-test that takes longer has failed")
    reflection: bool = Field(True, description="whether callers may ask which services and messages there are")
    metrics_port: PositiveInt | None = Field(None, le=65_535, description="port of Prometheus metrics; unset: none")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_style: Literal["json", "console"] = Field("json", description="one JSON object a line, or text for people")
    call_log_level: CallLogLevel = Field("debug", description="level of the line that is logged of each call")
    debug_port: PositiveInt | None = Field(
        None, le=65_535, description="port of stack dumps and profiles, over HTTP; unset: none"
    )
    debug_host: str = Field("127.0.0.1", description="address of the debug port, which asks nobody who he is")
