"""API keys: a file of their hashes.

A key is 256 random bits, so that one round of SHA-256 is enough: nobody can go through 2^256 candidates, and a slow
hash (scrypt) would only make each call dear. The file is no secret that opens a door, but who can write it can.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from gateway.auth.principal import Principal, Rate
from gateway.auth.scopes import Scope
from vitrine.errors import FailedPrecondition, NotFound, Unauthenticated, invalid

KEY_START = "vtr_"
_ID_BYTES = 8
_NOBODYS_HASH = secrets.token_hex(32)


class ApiKey(BaseModel):
    """One key: `id` is the part of it that is no secret, `sha256` the hash of the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    id: Annotated[str, Field(pattern=rf"^[0-9a-f]{{{2 * _ID_BYTES}}}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    scopes: tuple[Scope, ...] = Field(min_length=1)
    rate_per_s: PositiveFloat | None = None
    create_time: AwareDatetime
    expire_time: AwareDatetime | None = None


class ApiKeys(BaseModel):
    """The keys of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[ApiKey, ...] = ()

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        for what in ("name", "id"):
            [(value, count)] = Counter(getattr(key, what) for key in self.keys).most_common(1) or [("", 0)]
            if count > 1:
                raise ValueError(f"two keys have the {what} {value!r}")
        return self


class KeyRing:
    """Keys by id, ready for calls."""

    def __init__(self, keys: ApiKeys, *, rate_per_s: float, burst_s: float) -> None:
        """A key without a rate gets `rate_per_s` (0: any); `burst_s` seconds of a rate may be used at once."""
        self._known = {}
        for key in keys.keys:
            per_s = key.rate_per_s or rate_per_s
            rate = Rate(per_s, max(1.0, per_s * burst_s)) if per_s else None
            expires_at_s = key.expire_time.timestamp() if key.expire_time else None
            principal = Principal(f"key:{key.name}", frozenset(key.scopes), rate, expires_at_s)
            self._known[key.id] = (key.sha256, principal)

    def principal_of(self, presented: str) -> Principal:
        """Whose key it is. Raises Unauthenticated, in the same time whether or not such a key exists."""
        # The id is no secret and may be looked up; what is secret is compared in constant time.
        key_id = presented.removeprefix(KEY_START).partition("_")[0]
        expected, principal = self._known.get(key_id, (_NOBODYS_HASH, None))
        same = hmac.compare_digest(_hash(presented), expected)
        if not same or principal is None:
            raise Unauthenticated("the key is not known here, or was revoked", reason="CREDENTIALS_INVALID")
        if principal.expires_at_s is not None and time.time() >= principal.expires_at_s:
            raise Unauthenticated(
                f"{principal.name} has expired; make another: vitrine key create", reason="CREDENTIALS_EXPIRED"
            )
        return principal


def new_key(
    name: str, scopes: tuple[Scope, ...], rate_per_s: float | None, expire_time: datetime | None
) -> tuple[str, ApiKey]:
    """A key and what is kept of it. Raises InvalidArgument naming what is wrong."""
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"{KEY_START}{key_id}_{secrets.token_urlsafe(32)}"
    try:
        kept = ApiKey(
            name=name,
            id=key_id,
            sha256=_hash(text),
            scopes=scopes,
            rate_per_s=rate_per_s,
            create_time=datetime.now(UTC),
            expire_time=expire_time,
        )
    except ValidationError as error:
        raise invalid(*_fault(error.errors(include_input=False)[0])) from None
    return text, kept


def read_keys(path: Path) -> ApiKeys:
    """The file's keys. Raises FailedPrecondition, which names the file, the place in it and what is wrong."""
    try:
        return ApiKeys.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}; make it: vitrine key create") from error
    except ValidationError as error:
        # Without what stands there: somebody may have written a key in place of its hash.
        faults = (_fault(one) for one in error.errors(include_input=False))
        raise FailedPrecondition(f"{path}: {'; '.join(f'{place}: {said}' for place, said in faults)}") from None


def add_key(path: Path, key: ApiKey) -> None:
    """Writes the key into the file, made when it is not there. Raises InvalidArgument when its name is taken."""
    keys = read_keys(path) if path.exists() else ApiKeys()
    if any(key.name == other.name for other in keys.keys):
        raise invalid("name", f"{key.name!r} is taken in {path}; revoke that key or give another name")
    _write(path, ApiKeys(keys=(*keys.keys, key)))


def remove_key(path: Path, name: str) -> None:
    """Takes the key out of the file. Raises NotFound."""
    keys = read_keys(path)
    left = tuple(key for key in keys.keys if key.name != name)
    if len(left) == len(keys.keys):
        raise NotFound(f"{path} has no key {name!r}; it has: {', '.join(key.name for key in keys.keys) or 'none'}")
    _write(path, ApiKeys(keys=left))


def _write(path: Path, keys: ApiKeys) -> None:
    """In one step, so that no reader sees half of it; the owner and group stay who may read it.

    Raises FailedPrecondition when it cannot be written so.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.stat() if path.exists() else None
        partial.touch(mode=0o600)
        if there is not None:
            # An operator's root writes what a container's user reads.
            if (there.st_uid, there.st_gid) != (partial.stat().st_uid, partial.stat().st_gid):
                os.chown(partial, there.st_uid, there.st_gid)
            partial.chmod(there.st_mode & 0o777)
        partial.write_text(keys.model_dump_json(indent=2, exclude_none=True) + "\n")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        fault = f"{path} cannot be written for who it belongs to: {error.strerror}; run this as its owner or as root"
        raise FailedPrecondition(fault) from error


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _fault(error: Any) -> tuple[str, str]:
    place = ""
    for part in error["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place or "file", error["msg"].removeprefix("Value error, ")
