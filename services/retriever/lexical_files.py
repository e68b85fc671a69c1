"""The files of a tantivy index on disk, held to the checksums that tantivy writes at their ends."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

from vitrine.errors import FailedPrecondition

_PIECE_BYTES = 8 << 20
# Length of the footer, then tantivy's mark, at the end of each file of a segment.
_END = struct.Struct("<II")
_MARK = 1337


def segment_sizes(folder: Path) -> list[tuple[int, int]]:
    """How many documents each segment of a commit that was made holds, and how many of them are deleted."""
    segments = json.loads((folder / "meta.json").read_bytes())["segments"]
    return [(one["max_doc"], (one["deletes"] or {}).get("num_deleted_docs", 0)) for one in segments]


def check_files(folder: Path) -> None:
    """Raises FailedPrecondition where a file of a segment is missing, cut short or altered."""
    try:
        managed = json.loads((folder / ".managed.json").read_text())
        segments = json.loads((folder / "meta.json").read_text())["segments"]
        deletes = {_name(one): str((one["deletes"] or {}).get("opstamp", "")) for one in segments}
    except (OSError, ValueError, KeyError) as error:
        raise FailedPrecondition(f"{folder} holds no index of words: {error!r}") from error
    for name in managed:
        segment, *rest = name.split(".")
        # Deletes of before are left over, or gone already.
        if segment in deletes and (rest[-1] != "del" or rest[0] == deletes[segment]):
            _check(folder / name)


def _name(segment: dict[str, Any]) -> str:
    return str(segment["segment_id"]).replace("-", "")


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(size - _END.size, 0))
            length, mark = _END.unpack(file.read())
            body = size - _END.size - length
            file.seek(body)
            expected = json.loads(file.read(length))["crc"] if mark == _MARK else None
            file.seek(0)
            crc = 0
            while body and (piece := file.read(min(_PIECE_BYTES, body))):
                crc = zlib.crc32(piece, crc)
                body -= len(piece)
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise FailedPrecondition(f"{path} is damaged: {error!r}") from error
    if crc != expected:
        raise FailedPrecondition(f"{path} does not match its checksum")
