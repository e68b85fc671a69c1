"""What can be set of who may call: environment variables VITRINE_AUTH_…"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.auth.scopes import OPEN_SCOPES, Scope


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Scopes = Annotated[tuple[Scope, ...], NoDecode, BeforeValidator(_split)]


class AuthSettings(BaseSettings):
    """Who may call the gateway; with neither a keys file nor a JWKS, everybody may do everything."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_AUTH_", frozen=True)

    keys_file: Path | None = Field(
        None, description="file of API keys' hashes (`vitrine key create`), read anew when it changes; unset: none"
    )
    anonymous_scopes: Scopes = Field(
        (), description="what callers without credentials may do where keys or tokens are set: search, events"
    )
    rate_per_s: NonNegativeFloat = Field(0.0, description="calls a second of a caller with no rate of its own; 0: any")
    burst_s: PositiveFloat = Field(2.0, description="seconds of a rate that may be used at once")
    anonymous_rate_per_s: NonNegativeFloat = Field(
        0.0, description="calls a second of each address without credentials; 0: any"
    )
    audit_file: Path | None = Field(
        None, description="file of the audit log, one JSON object a line; unset: stderr, where keys or tokens are set"
    )

    @field_validator("anonymous_scopes")
    @classmethod
    def _open(cls, scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
        if closed := sorted(set(scopes) - OPEN_SCOPES):
            raise ValueError(f"{', '.join(closed)} is for callers with credentials only; at most: events, search")
        return scopes

    @property
    def closed(self) -> bool:
        """Whether callers must say who they are."""
        return self.keys_file is not None
