"""What can be set of who may call: environment variables VITRINE_AUTH_…"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.auth.scopes import OPEN_SCOPES, Scope

# Neither `none` nor an algorithm with a shared secret, which a public key could be taken for.
PUBLIC_KEY_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)


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
    jwks: str = Field("", description="public keys of tokens (JWT): a file's path or an https:// address; empty: none")
    jwt_issuer: str = Field("", description="`iss` that tokens must have")
    jwt_audience: str = Field("", description="`aud` that tokens must have")
    jwt_algorithms: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("RS256", "ES256", "EdDSA"), description="how tokens may be signed: with public keys only"
    )
    jwt_leeway_s: NonNegativeFloat = Field(30.0, le=300, description="how far clocks may be apart")
    jwt_scopes_claim: str = Field("scope", description="claim that holds the scopes: words, or a list of them")
    rate_per_s: NonNegativeFloat = Field(0.0, description="calls a second of a caller with no rate of its own; 0: any")
    burst_s: PositiveFloat = Field(2.0, description="seconds of a rate that may be used at once")
    anonymous_rate_per_s: NonNegativeFloat = Field(
        0.0, description="calls a second of each address without credentials; 0: any"
    )
    audit_file: Path | None = Field(
        None, description="file of the audit log, one JSON object a line; unset: stderr, where keys or tokens are set"
    )

    rate_wait_s: PositiveFloat = Field(0.02, description="longest that a call waits for Redis to count it")

    @field_validator("jwt_algorithms")
    @classmethod
    def _public(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if not algorithms or set(algorithms) - PUBLIC_KEY_ALGORITHMS:
            known = ", ".join(sorted(PUBLIC_KEY_ALGORITHMS))
            raise ValueError(f"{', '.join(algorithms) or 'nothing'} is not of {known}")
        return algorithms

    @field_validator("anonymous_scopes")
    @classmethod
    def _open(cls, scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
        if closed := sorted(set(scopes) - OPEN_SCOPES):
            raise ValueError(f"{', '.join(closed)} is for callers with credentials only; at most: events, search")
        return scopes

    @property
    def closed(self) -> bool:
        """Whether callers must say who they are."""
        return self.keys_file is not None or bool(self.jwks)
