"""Who a call is by."""

from dataclasses import dataclass

from gateway.auth.scopes import Scope


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls that a caller may make: `per_s` a second in the long run, `burst` at once."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: `name` as logs show it ("key:storefront", "token:alice", "anonymous"), rights, and rate (None: any)."""

    name: str
    scopes: frozenset[Scope]
    rate: Rate | None = None
    # Seconds since 1970 after which the caller is unknown again.
    expires_at_s: float | None = None
