"""The public keys that tokens are signed with: a JWKS (RFC 7517) in a file or at a URL."""

import asyncio
import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import jwt
import structlog

from vitrine.errors import FailedPrecondition, Unavailable, VitrineError
from vitrine.followed_file import FILE_REFUSED, FollowedFile
from vitrine.shown_address import shown_address

log = structlog.get_logger(__name__)

_REFRESH_S = 300.0
# A kid that is not known may be of a key made just now; callers must not be able to have the URL asked at will.
_LEAST_PAUSE_S = 5.0
_TIMEOUT_S = 3.0
_MAX_BYTES = 1024 * 1024

# Keys by kid; a key without one is there as "".
Keys = Mapping[str, jwt.PyJWK]


class KeySource(Protocol):
    """Where keys come from."""

    async def keys(self, kid: str) -> Keys:
        """The keys now, looked for anew where `kid` is not among them. Raises Unavailable when there were none yet."""

    async def close(self) -> None:
        """Ends what goes on in the background."""


def key_source(place: str, algorithms: frozenset[str]) -> KeySource:
    """A source of keys for these algorithms, from a path or URL. Raises FailedPrecondition."""
    if "://" not in place:
        return _KeyFile(Path(place), algorithms)
    return _KeyUrl(place, algorithms)


def keys_of(text: bytes, algorithms: frozenset[str], place: str) -> Keys:
    """The keys of a JWKS that sign by these algorithms. Raises FailedPrecondition where it has none."""
    try:
        found = jwt.PyJWKSet.from_dict(json.loads(text)).keys
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise FailedPrecondition(f"{place} is no JWKS with keys that can be used: {type(error).__name__}") from None
    usable = (key for key in found if key.algorithm_name in algorithms and key.public_key_use != "enc")
    keys = {key.key_id or "": key for key in usable if isinstance(key.key_id, str | None)}
    if not keys:
        raise FailedPrecondition(f"{place} has no key for {', '.join(sorted(algorithms))}")
    return keys


class _KeyFile:
    def __init__(self, path: Path, algorithms: frozenset[str]) -> None:
        def read() -> Keys:
            try:
                return keys_of(path.read_bytes(), algorithms, str(path))
            except OSError as error:
                raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error

        self._followed = FollowedFile("tokens", [path], read)

    async def keys(self, _kid: str) -> Keys:
        return self._followed.value()

    async def close(self) -> None:
        pass


class _KeyUrl:
    """Asked at the first token, then every five minutes; what it said last holds while it is away."""

    def __init__(self, url: str, algorithms: frozenset[str]) -> None:
        _require_safe(url)
        self._url = url
        self._shown = shown_address(url)
        self._algorithms = algorithms
        self._keys: Keys | None = None
        self._asked_at_s = -_REFRESH_S
        self._asking: asyncio.Task[None] | None = None

    async def keys(self, kid: str) -> Keys:
        age_s = monotonic() - self._asked_at_s
        is_missing = self._keys is None or kid not in self._keys
        if age_s >= _REFRESH_S or (is_missing and age_s >= _LEAST_PAUSE_S) or (is_missing and self._asking):
            if self._asking is None:
                self._asked_at_s = monotonic()
                self._asking = asyncio.create_task(self._refresh(), name="JWKS")
            if is_missing:
                # One caller that leaves takes the answer from no other.
                await asyncio.shield(self._asking)
        if self._keys is None:
            raise Unavailable("tokens cannot be checked now: their keys are away", reason="TOKEN_KEYS_AWAY")
        return self._keys

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _refresh(self) -> None:
        try:
            self._keys = keys_of(await self._fetched(), self._algorithms, self._shown)
            FILE_REFUSED.labels("tokens").set(0)
        except (httpx.HTTPError, VitrineError) as error:
            FILE_REFUSED.labels("tokens").set(1)
            log.error("keys of tokens refused, those before go on", url=self._shown, error=str(error))
        finally:
            self._asking = None

    async def _fetched(self) -> bytes:
        body = bytearray()
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT_S) as client,
            asyncio.timeout(_TIMEOUT_S),
            client.stream("GET", self._url) as reply,
        ):
            reply.raise_for_status()
            async for chunk in reply.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise FailedPrecondition(f"{self._shown} has more than {_MAX_BYTES} bytes")
        return bytes(body)


def _require_safe(url: str) -> None:
    """Raises FailedPrecondition where somebody between could put other keys in place of those."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise FailedPrecondition("VITRINE_AUTH_JWKS is no address") from None
    try:
        is_here = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        is_here = False
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        shown = shown_address(url)
        raise FailedPrecondition(f"VITRINE_AUTH_JWKS is {shown}; give an https:// address or the path of a file")
    if "@" in parts.netloc:
        # The HTTP client writes the whole address to the log.
        raise FailedPrecondition("VITRINE_AUTH_JWKS holds a name or password; public keys need none, leave it out")
