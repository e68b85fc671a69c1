"""The guard at the gateway's door, the same for gRPC and HTTP."""

import ipaddress
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog

from gateway.auth.api_keys import KEY_START, KeyRing, read_keys
from gateway.auth.audit import CALLER, AuditLog, Caller
from gateway.auth.principal import Principal, Rate
from gateway.auth.rate_limits import RateLimits
from gateway.auth.scopes import SCOPES, Scope
from gateway.auth.settings import AuthSettings
from gateway.metrics import CALLS_REFUSED
from gateway.settings import GatewaySettings
from vitrine.errors import PermissionDenied, Unauthenticated, VitrineError
from vitrine.followed_file import FollowedFile

if TYPE_CHECKING:
    from gateway.auth.tokens import Tokens

log = structlog.get_logger(__name__)

_ALL = frozenset(Scope)
# What the current call came with, for the further requests of its stream; never logged.
_CREDENTIALS: ContextVar[str] = ContextVar("credentials", default="")


class AuthGuard:
    """Knows callers by API key or token, and lets each do what its scopes hold, as often as its rate says.

    Who sends no credentials may do what `anonymous_scopes` says, and everything where nobody has any; wrong
    credentials are refused wherever they are sent.
    """

    def __init__(self, settings: AuthSettings, gateway: GatewaySettings) -> None:
        """Raises FailedPrecondition when a file is wrong, and Unavailable when the audit log cannot be opened."""
        self._settings = settings
        self._keys = _followed_keys(settings)
        self._closed = settings.closed
        rate_per_s = settings.anonymous_rate_per_s
        self._anonymous_rate = Rate(rate_per_s, max(1.0, rate_per_s * settings.burst_s)) if rate_per_s else None
        self._anonymous_scopes = frozenset(settings.anonymous_scopes) if self._closed else _ALL
        self._audit = AuditLog(settings.audit_file)
        self._tokens = _tokens(settings)
        self._limits = RateLimits(
            gateway.redis_url,
            prefix=gateway.cache_prefix,
            wait_s=settings.rate_wait_s,
            command_timeout_s=gateway.cache_command_timeout_s,
        )

    async def admit(self, method: str, headers: Mapping[str, str], peer: str) -> None:
        """Lets in a call. Raises Unauthenticated or PermissionDenied, which name what is missing."""
        try:
            credentials = _credentials_of(headers)
            principal = await self._admitted(method, credentials, peer)
            if principal.rate is not None:
                await self._limits.take(principal.name, principal.rate)
        except VitrineError as error:
            CALLS_REFUSED.labels(error.reason).inc()
            raise
        _CREDENTIALS.set(credentials)
        CALLER.set(Caller(principal, method, peer, self._audit))

    async def admit_next(self) -> None:
        """Lets in a further request of a stream, by what its caller may do by now."""
        caller = CALLER.get()
        assert caller is not None
        principal = await self._admitted(caller.method, _CREDENTIALS.get(), caller.peer)
        if principal.rate is not None:
            # A stream is slowed by leaving its next request unread, and loses nothing.
            await self._limits.wait(principal.name, principal.rate)

    async def close(self) -> None:
        """Closes the audit log and the connections."""
        if self._tokens is not None:
            await self._tokens.close()
        await self._limits.close()
        self._audit.close()

    async def _admitted(self, method: str, credentials: str, peer: str) -> Principal:
        scope = SCOPES.get(method)
        principal = await self._principal(credentials, peer)
        if scope in principal.scopes:
            return principal
        needed = {"method": method, "scope": scope or "none"}
        if not credentials:
            raise Unauthenticated(
                f"this call needs a key or token with the scope {scope}; send it as authorization: Bearer …",
                reason="CREDENTIALS_MISSING",
                metadata=needed,
            )
        Caller(principal, method, peer, self._audit).write("PERMISSION_DENIED")
        has = ", ".join(sorted(principal.scopes)) or "none"
        raise PermissionDenied(
            f"this call needs the scope {scope}, and {principal.name} has {has}",
            reason="SCOPE_MISSING",
            metadata={**needed, "principal": principal.name},
        )

    async def _principal(self, credentials: str, peer: str) -> Principal:
        if not credentials or not self._closed:
            name = f"anonymous:{_address(peer)}" if self._anonymous_rate else "anonymous"
            return Principal(name, self._anonymous_scopes, self._anonymous_rate)
        if self._keys is not None and credentials.startswith(KEY_START):
            return self._keys.value().principal_of(credentials)
        if self._tokens is not None:
            return await self._tokens.principal_of(credentials)
        raise Unauthenticated("the credentials are no API key of this shop (vtr_…)", reason="CREDENTIALS_INVALID")


def _tokens(settings: AuthSettings) -> "Tokens | None":
    if not settings.jwks:
        return None
    # Cryptography takes its time to load: only where there are tokens.
    from gateway.auth.tokens import Tokens

    return Tokens(settings)


def _address(peer: str) -> str:
    """The address alone, of "ipv4:10.1.2.3:4711" (gRPC) or "10.1.2.3" (HTTP)."""
    scheme, _, rest = peer.partition(":")
    return unquote(rest).rpartition(":")[0].strip("[]") if scheme in ("ipv4", "ipv6") else peer


def open_guard(settings: AuthSettings, gateway: GatewaySettings) -> AuthGuard | None:
    """The guard that the settings ask for; None where everybody may do everything, and nobody writes it down.

    Raises FailedPrecondition when a file is wrong, and Unavailable when the audit log cannot be opened.
    """
    if not settings.closed and not is_loopback(gateway.host):
        log.warning(
            "OPEN TO EVERYBODY: whoever reaches this address may read, write and delete all; "
            "make a key (vitrine key create) and set VITRINE_AUTH_KEYS_FILE",
            host=gateway.host,
            port=gateway.port,
            http_port=gateway.http_port,
        )
    if not settings.closed and settings.audit_file is None and not settings.anonymous_rate_per_s:
        return None
    return AuthGuard(settings, gateway)


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _followed_keys(settings: AuthSettings) -> FollowedFile[KeyRing] | None:
    path = settings.keys_file
    if path is None:
        return None

    def read() -> KeyRing:
        return KeyRing(read_keys(path), rate_per_s=settings.rate_per_s, burst_s=settings.burst_s)

    return FollowedFile("keys", [path], read)


def _credentials_of(headers: Mapping[str, str]) -> str:
    """The key or token that a call came with; empty where there is none. Raises Unauthenticated for another scheme."""
    if key := headers.get("x-api-key", ""):
        return key.strip()
    authorization = headers.get("authorization", "")
    if not authorization:
        return ""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise Unauthenticated(
            "the header authorization is not of the form: Bearer KEY-OR-TOKEN", reason="CREDENTIALS_INVALID"
        )
    return credentials.strip()
