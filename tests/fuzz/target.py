"""A target: something that reads what others wrote, and how to make input for it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from vitrine.errors import FailedPrecondition, InvalidArgument, NotFound


@dataclass(frozen=True, slots=True)
class Target:
    """`make` gives an input by chance, near to right ones; `run` raises where an input is neither read nor refused."""

    name: str
    make: Callable[[Random], bytes]
    run: Callable[[bytes], object]


def refused(read: Callable[[], object]) -> None:
    """Reads; a refusal that says what is wrong, and where, is as good."""
    try:
        read()
    except InvalidArgument as error:
        if not all(violation.field and violation.description for violation in error.violations):
            raise AssertionError("refused without the name of a field") from error
    except (FailedPrecondition, NotFound) as error:
        if not error.message:
            raise AssertionError("refused without a reason") from error


def bent(random: Random, data: bytes) -> bytes:
    """The input torn as a disk, a wire or a forger would: bits, pieces and marks changed in some places."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        at = random.randint(0, len(changed))
        end = min(len(changed), at + random.choice((1, 1, 2, 4, 16, 64)))
        match random.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1:
                del changed[at:end]
            case 2:
                changed[at:at] = changed[at:end]
            case 3:
                changed[at:end] = random.choice(_PIECES)
            case 4:
                changed[at:at] = random.choice(_PIECES)
            case 5:
                del changed[at:]
    return bytes(changed)


_PIECES = (
    b"\0", b"\xff", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xe2\x80\xae",
    b"\n", b"\r\n", b'"', b"'", b"\\", b"\\ud800", b"\\u0000", b"{", b"}", b"[" * 3_000, b"(" * 200, b"<", b">", b"&",
    b"&#0;", b"&#xD800;", b"&a;", b"<![CDATA[", b"]]>", b",", b";", b"\t", b"|", b":", b"=", b"-", b"1e999", b"-1",
    b"NaN", b"Infinity", b"9" * 5_000, b"0", b"null", b"true", b"[]", b"{}", b'""', b"9999-12-31T23:59:59-14:00",
    b"0001-01-01T00:00:00+14:00", b"../../etc/passwd", b"\x1f\x8b\x08", b"PAR1", b"\xef\xbb\xbf", b"\xff\xfe",
    b"encoding='hex'",
)  # fmt: skip
