"""The frame of tokens that callers hand back: compressed, with a checksum, as text; damage is told from content.

Before base64url: CRC-32 of what follows, the length of the label, the label as it is, the content by zlib, and what
compressing would hardly make smaller as it is.
"""

import base64
import binascii
import struct
import zlib

from vitrine.errors import InvalidArgument, invalid

_HEAD = struct.Struct("<IB")
_MAX_BYTES = 1_000_000
_MAX_TOKEN_CHARACTERS = 400_000


def framed(content: bytes, label: str = "", plain: bytes = b"") -> str:
    """The content, and a label of at most 255 ASCII characters that can be changed without it, as a token.

    `plain` is content that is not compressed, such as numbers; it ends the content that is read.
    """
    return _token(zlib.compress(content, level=1) + plain, label.encode("ascii"))


def relabelled(token: str, label: str) -> str:
    """The same content under another label. Raises InvalidArgument when the token is damaged."""
    packed, _ = _parts(token)
    return _token(packed, label.encode("ascii"))


def unframed(token: str) -> tuple[bytes, str]:
    """The content of a token and its label. Raises InvalidArgument when it is damaged."""
    packed, label = _parts(token)
    try:
        inflater = zlib.decompressobj()
        # Bounded: a token is the caller's to forge, and must not inflate without end.
        content = inflater.decompress(packed, _MAX_BYTES)
        told = label.decode("ascii")
    except (UnicodeDecodeError, zlib.error) as error:
        raise damaged() from error
    if not inflater.eof:
        raise damaged()
    return content + inflater.unused_data, told


def _token(packed: bytes, label: bytes) -> str:
    rest = label + packed
    # The length is part of what the checksum covers, or one that is torn would cut label and content elsewhere.
    head = _HEAD.pack(zlib.crc32(rest, len(label)), len(label))
    return base64.urlsafe_b64encode(head + rest).decode().rstrip("=")


def _parts(token: str) -> tuple[bytes, bytes]:
    if len(token) > _MAX_TOKEN_CHARACTERS:
        raise damaged()
    try:
        data = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        checksum, length = _HEAD.unpack_from(data)
    except (UnicodeEncodeError, binascii.Error, struct.error) as error:
        raise damaged() from error
    rest = data[_HEAD.size :]
    if zlib.crc32(rest, length) != checksum:
        raise damaged()
    return rest[length:], rest[:length]


def damaged() -> InvalidArgument:
    """The error of a token that cannot be read."""
    return invalid("page_token", "is damaged; send next_page_token as it was given, or none for the first page")


def foreign() -> InvalidArgument:
    """The error of a token that was given for something else."""
    fault = "belongs to another query, filter or order; ask for the first page without a token"
    return invalid("page_token", fault)
