"""Values as exports write them, as the plain data has them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from vitrine.errors import invalid

_MOST = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: Any) -> str:
    """A text; empty for null and for GA4's "(not set)". Half of a surrogate pair, which JSON allows, becomes "?"."""
    return "" if value is None or value == "(not set)" else str(value).encode("utf-8", "replace").decode()


def number(value: Any, field: str) -> float | None:
    """A number, also one written as text; None for null. Raises InvalidArgument naming `field`."""
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise invalid(field, f"{value!r} is not a number") from None


def whole(value: Any, field: str, default: int) -> int:
    """A whole number; `default` for null. Raises InvalidArgument naming `field`."""
    found = number(value, field)
    if found is None:
        return default
    if not found.is_integer() or abs(found) > _MOST:
        raise invalid(field, f"{value!r} is not a whole number of at most {_MOST}")
    return int(found)


def time(value: Any, field: str, per_second: int = 1_000) -> datetime:
    """A time from RFC 3339 text, a datetime, or a number of which `per_second` make a second since 1970.

    Without a zone it is UTC. Raises InvalidArgument naming `field`.
    """
    if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise invalid(field, f"{value!r} is not a time such as 2026-01-31T08:00:00Z") from None
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return _EPOCH + timedelta(microseconds=int(value) * 1_000_000 // per_second)
    except (TypeError, ValueError, OverflowError):
        raise invalid(field, f"{value!r} is not a time") from None


def digest_id(row: Mapping[str, Any]) -> str:
    """An id for an event that has none: the same row, read again, is the same event."""
    written = json.dumps(row, sort_keys=True, ensure_ascii=False, default=str)
    return blake2b(written.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()
