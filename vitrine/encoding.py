"""Which encoding a file's text is in: by its mark, by what it holds, or by what it says of itself."""

import codecs
import contextlib
import re
import zlib
from collections.abc import Iterator
from typing import IO

# In the order of preference: supersets of GB2312 and GBK, of ISO 8859-1, and so on.
LEGACY = ("gb18030", "big5hkscs", "cp932", "cp949", "cp1252", "cp1251")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252", "big5": "big5hkscs",
          "shift_jis": "cp932", "euc_kr": "cp949"}  # fmt: skip
_DECLARED = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?([A-Za-z0-9_.:-]+)""")
_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 4_096
# Characters beyond ASCII that settle the question, and how many of them a file in UTF-8 may have broken.
_ENOUGH = 20_000
_BROKEN_SHARE = 0.1
_SAMPLE_BYTES = 1 << 16
_FOREIGN = re.compile("[^\x00-\x7f\udc80-\udcff]")
_BROKEN = re.compile("[\udc80-\udcff]")
# Letters and signs beyond ASCII stand alone in Latin text, and together in any other.
_LATIN_RUN = 1.6
# Below this many bytes statistics guess, and pairs that are all common characters of GB2312 say more.
_FEW_BYTES = 200
_COMMON_HAN = re.compile(rb"[\xb0-\xd7][\xa1-\xfe]")
_RUN = re.compile(rb"[\x80-\xff]+")


def is_text_encoding(name: str) -> bool:
    """Whether Python knows it, and it is of text, damaged text included: not "hex", which is of bytes, nor "idna"."""
    try:
        codecs.getincrementaldecoder(name)("surrogateescape").decode("x".encode(name), True)
    except (LookupError, ValueError):
        return False
    return True


def detected_encoding(file: IO[bytes]) -> str:
    """The encoding of a binary file, from where it stands, as Python calls it; "utf-8-sig" if nothing says no.

    A file of mostly good UTF-8 is that: its broken rows are refused one by one. Reads no further than it has to.
    """
    head = file.read(_HEAD_BYTES)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    good = broken = 0
    sample = b""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for chunk in _chunks(head, file):
        text = decoder.decode(chunk)
        if text.isascii():
            continue
        good += len(_FOREIGN.findall(text))
        broken += len(_BROKEN.findall(text))
        if len(sample) < _SAMPLE_BYTES:
            lines = (line for line in chunk.split(b"\n") if not line.isascii())
            sample += b"\n".join(lines)[:_SAMPLE_BYTES]
        if good + broken >= _ENOUGH:
            break
    if broken <= good * _BROKEN_SHARE:
        return "utf-8-sig"
    return _declared(head) or _likely(sample)


def _chunks(head: bytes, file: IO[bytes]) -> Iterator[bytes]:
    yield head
    # Whoever reads the rows says where an archive is damaged, after those before.
    with contextlib.suppress(OSError, EOFError, zlib.error):
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _declared(head: bytes) -> str:
    """What XML or HTML says of itself, where that is not UTF-8, which it was found not to be."""
    if (found := _DECLARED.search(head)) is None:
        return ""
    declared = found[1].decode()
    if not is_text_encoding(declared):
        return ""
    name = codecs.lookup(declared).name
    return "" if name.startswith("utf") else _WIDER.get(name, name)


def _likely(sample: bytes) -> str:
    runs = _RUN.findall(sample)
    beyond = sum(map(len, runs))
    if beyond < _LATIN_RUN * len(runs):
        return "cp1252"
    if beyond < _FEW_BYTES and all(not _COMMON_HAN.sub(b"", run) for run in runs):
        return "gb18030"
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=list(LEGACY)).best()
    return found.encoding if found is not None else "cp1252"
