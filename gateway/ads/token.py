"""The ad token: what an answer promised of an ad, sealed, so that only that is charged.

`ANSWER.PACKED`: the answer's attribution token, then in base64url the version, whether it is bound to a visitor, the
campaign's serial, the product's digest, the price, the expected clicks, the time of expiry and a keyed digest of all
this and of the visitor. The visitor is not in it: who clicks must be the one that it was given to.
"""

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from hashlib import blake2b

from vitrine.errors import Internal
from vitrine.user_event import MAX_TOKEN_CHARACTERS, visitor_digest

KEY_BYTES = 32
_VERSION = 1
# version, bound, serial, product, price, expected clicks, expiry in s
_FIELDS = struct.Struct(">B?Q8sQfI")
_SEAL_BYTES = 16


class TokenFault(Enum):
    """Why a token charges nothing."""

    FORGED = "forged"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class AdToken:
    """An ad as it was answered; the price of a click in smallest units of the campaign's currency."""

    answer_id: str
    serial: int
    product: bytes
    price: int
    expected_clicks: float
    expire_time: datetime


def product_digest(product_id: str) -> bytes:
    """The 8 bytes that stand for a product of a campaign."""
    return blake2b(product_id.encode(), digest_size=8).digest()


def sealed(token: AdToken, visitor_id: str, key: bytes) -> str:
    """The token for a visitor; for an unknown one ("") it is anybody's."""
    fields = _FIELDS.pack(
        _VERSION,
        bool(visitor_id),
        token.serial,
        token.product,
        token.price,
        token.expected_clicks,
        int(token.expire_time.timestamp()),
    )
    packed = base64.urlsafe_b64encode(fields + _seal(token.answer_id, fields, visitor_id, key))
    text = f"{token.answer_id}.{packed.decode().rstrip('=')}"
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise Internal(f"an ad token has {len(text)} characters; events take {MAX_TOKEN_CHARACTERS}")
    return text


def opened(text: str, visitor_id: str, key: bytes, now: datetime) -> tuple[AdToken, bytes] | TokenFault:
    """The token and the bytes that name it; or why it is not to be heeded."""
    answer_id, _, packed = text.rpartition(".")
    try:
        data = base64.b64decode(packed.encode("ascii") + b"=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        version, is_bound, serial, product, price, expected_clicks, expire_s = _FIELDS.unpack(data[:-_SEAL_BYTES])
    except (UnicodeEncodeError, binascii.Error, struct.error):
        return TokenFault.FORGED
    seal = _seal(answer_id, data[:-_SEAL_BYTES], visitor_id if is_bound else "", key)
    if version != _VERSION or not hmac.compare_digest(seal, data[-_SEAL_BYTES:]):
        return TokenFault.FORGED
    expire_time = datetime.fromtimestamp(expire_s, UTC)
    if expire_time <= now:
        return TokenFault.EXPIRED
    return AdToken(answer_id, serial, product, price, expected_clicks, expire_time), seal


def _seal(answer_id: str, fields: bytes, visitor_id: str, key: bytes) -> bytes:
    visitor = visitor_digest(visitor_id) if visitor_id else b""
    return hmac.digest(key, b"\0".join((fields, visitor, answer_id.encode("utf-8", "replace"))), "sha256")[:_SEAL_BYTES]
