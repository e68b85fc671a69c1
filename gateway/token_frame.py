"""The frame of tokens that callers hand back: compressed, with a checksum, as text; damage is told from content."""

import base64
import binascii
import struct
import zlib

from vitrine.errors import InvalidArgument, invalid

_CHECKSUM = struct.Struct("<I")
_MAX_BYTES = 1_000_000
_MAX_TOKEN_CHARACTERS = 400_000


def framed(content: bytes) -> str:
    """The content as a token."""
    packed = zlib.compress(content, level=1)
    return base64.urlsafe_b64encode(_CHECKSUM.pack(zlib.crc32(packed)) + packed).decode().rstrip("=")


def unframed(token: str) -> bytes:
    """The content of a token. Raises InvalidArgument when it is damaged."""
    if len(token) > _MAX_TOKEN_CHARACTERS:
        raise damaged()
    try:
        data = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        (checksum,) = _CHECKSUM.unpack_from(data)
        packed = data[_CHECKSUM.size :]
        if zlib.crc32(packed) != checksum:
            raise damaged()
        inflater = zlib.decompressobj()
        # Bounded: a token is the caller's to forge, and must not inflate without end.
        content = inflater.decompress(packed, _MAX_BYTES)
    except (UnicodeEncodeError, binascii.Error, struct.error, zlib.error) as error:
        raise damaged() from error
    if not inflater.eof:
        raise damaged()
    return content


def damaged() -> InvalidArgument:
    """The error of a token that cannot be read."""
    return invalid("page_token", "is damaged; send next_page_token as it was given, or none for the first page")


def foreign() -> InvalidArgument:
    """The error of a token that was given for something else."""
    fault = "belongs to another query, filter or order; ask for the first page without a token"
    return invalid("page_token", fault)
