"""The saved views: columns on disk as of a revision, so that a start reads them instead of making them anew.

What only grows is appended to one file with each save, until columns are compacted; the rest is written to another
one. A manifest, replaced as a whole, says which parts of them hold, with their checksums: it is the old one or the new
one at every moment, so a process that dies while it saves leaves the save before. The words are saved by their own
index, which is never behind the manifest.
"""

import json
import os
import shutil
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from services.retriever.buffer import Buffer
from services.retriever.lexical_index import ENTRY_VERSION
from services.retriever.tables import State
from services.retriever.vector_store import AS_THEY_COME, Storage
from vitrine.errors import FailedPrecondition

# Grows with every change of how views are saved; entries have a version of their own. What lacks the order in which
# vectors lie is read, too.
FORMAT, _EARLIER = f"3.{ENTRY_VERSION}", f"2.{ENTRY_VERSION}"
_PIECE_BYTES = 8 << 20
# Texts that are encoded at a time: no other thread runs meanwhile.
_TEXTS = 10_000


@dataclass(frozen=True, slots=True)
class Capture:
    """What is to be saved, as of `state`.

    `grown` arrays and `texts` (list, count) only grew since the last save of the same `columns`, an object that stands
    for them; `whole` arrays are saved anew each time. `words` names the folder of the words' index.
    """

    state: State
    columns: object
    storage: Storage
    words: str
    grown: Mapping[str, NDArray[Any]]
    texts: Mapping[str, tuple[Sequence[str], int]]
    whole: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Block:
    """A part of a file: numbers or texts that belong at the end of one array or list."""

    file: str
    name: str
    kind: Literal["array", "texts", "whole"]
    dtype: str
    width: Sequence[int]
    count: int
    offset: int
    size: int
    crc: int

    @property
    def end(self) -> int:
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was saved, as of `state`."""

    format: str
    state: State
    storage: Storage
    words: str
    blocks: Sequence[_Block]


_MANIFEST = TypeAdapter(Manifest)


class SavedViews:
    """A folder of saved views; one thread at a time. `revision` is the last one saved, -1 for none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.revision = -1
        # Words that are still being written, which a save leaves where they are.
        self.coming: Path | None = None
        self._columns: object = None
        self._grown: list[_Block] = []

    @property
    def rows(self) -> int:
        """Versions that are saved."""
        return sum(block.count for block in self._grown if block.name == "rows")

    def manifest(self, catalogue_id: str) -> Manifest | None:
        """What was saved of this catalogue; None for nothing. Raises FailedPrecondition when it cannot be used."""
        path = self.folder / "manifest.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        crc, _, body = data.partition(b"\n")
        if crc != b"%08x" % zlib.crc32(body):
            raise FailedPrecondition(f"{path} does not match its checksum")
        try:
            fields = json.loads(body)
            if fields["format"] not in (FORMAT, _EARLIER):
                raise FailedPrecondition(
                    f"{path} has format {fields['format']} and this version reads {FORMAT} and {_EARLIER}"
                )
            manifest = _MANIFEST.validate_python(fields)
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            raise FailedPrecondition(f"{path} does not hold together: {error!r}") from error
        if manifest.state.catalogue_id != catalogue_id:
            raise FailedPrecondition(f"{path} belongs to another catalogue")
        return manifest

    def read(
        self, manifest: Manifest, buffers: Mapping[str, Buffer]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, list[str]]]:
        """Arrays and texts by name, arrays that `buffers` names into these. Raises FailedPrecondition when damaged."""
        arrays: dict[str, list[NDArray[Any]]] = {}
        texts: dict[str, list[str]] = {}
        for block in manifest.blocks:
            pieces = self._pieces(block)
            if block.kind == "texts":
                texts.setdefault(block.name, []).extend(json.loads(b"".join(pieces)))
                continue
            if block.name not in buffers:
                # An empty one is there too.
                arrays.setdefault(block.name, [np.empty((0, *block.width), block.dtype)])
            for piece in pieces:
                values = np.frombuffer(piece, block.dtype).reshape(-1, *block.width)
                if block.name in buffers:
                    buffers[block.name].extend(values)
                else:
                    arrays[block.name].append(values)
        if manifest.format == _EARLIER:
            arrays["laid"] = [AS_THEY_COME]
        return {name: np.concatenate(parts) for name, parts in arrays.items()}, texts

    def verify(self, manifest: Manifest) -> None:
        """Reads all that the manifest names and keeps nothing. Raises FailedPrecondition when damaged."""
        for block in manifest.blocks:
            for _ in self._pieces(block):
                pass

    def go_on(self, manifest: Manifest, columns: object) -> None:
        """Appends to what was read into these columns from now on."""
        self.revision, self._columns = manifest.state.revision, columns
        self._grown = [block for block in manifest.blocks if block.kind != "whole"]

    def new_words(self) -> Path:
        """An empty folder for the words' index, beside any that is still read."""
        folder = self.folder / f"words-{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        return folder

    def save(self, capture: Capture) -> None:
        """Saves what is new. Raises OSError, and the save before holds."""
        anew = capture.columns is not self._columns or not self._grown
        name = f"columns-{uuid.uuid4().hex}.bin" if anew else self._grown[0].file
        grown = [] if anew else list(self._grown)
        with (self.folder / name).open("wb" if anew else "r+b") as file:
            # Whatever a save that failed left behind is written over.
            file.seek(max((block.end for block in grown), default=0))
            for key, values in capture.grown.items():
                start = _count(grown, "array", key)
                if anew or len(values) > start:
                    grown.append(_written(file, name, key, "array", values[start:]))
            for key, (texts, count) in capture.texts.items():
                start = _count(grown, "texts", key)
                # An empty one is there too.
                for first in range(start, max(count, 1) if anew else count, _TEXTS):
                    grown.append(_written_texts(file, name, key, texts[first : min(first + _TEXTS, count)]))
            _made_durable(file)
        rest = f"state-{uuid.uuid4().hex}.bin"
        with (self.folder / rest).open("wb") as file:
            whole = [_written(file, rest, key, "whole", values) for key, values in capture.whole.items()]
            _made_durable(file)
        self._write_manifest(capture, [*grown, *whole])
        self.revision, self._columns, self._grown = capture.state.revision, capture.columns, grown
        for old in self.folder.iterdir():
            if old.suffix == ".bin" and old.name not in (name, rest):
                old.unlink()
            elif old.is_dir() and old.name != capture.words and old != self.coming:
                shutil.rmtree(old)

    def _pieces(self, block: _Block) -> Iterator[bytes]:
        path = self.folder / block.file
        crc, left = 0, block.size
        try:
            with path.open("rb") as file:
                file.seek(block.offset)
                item = np.dtype(block.dtype).itemsize * int(np.prod(block.width)) if block.dtype else 1
                while left and (piece := file.read(min(left, max(_PIECE_BYTES // item, 1) * item))):
                    crc = zlib.crc32(piece, crc)
                    left -= len(piece)
                    # Cut short, what is left over is no whole number.
                    if not left or len(piece) % item == 0:
                        yield piece
        except (OSError, TypeError, ValueError, ArithmeticError) as error:  # of a type, width or name that is none, too
            raise FailedPrecondition(f"{path} cannot be read: {error}") from error
        if left or crc != block.crc:
            raise FailedPrecondition(f"{path} does not match its checksum")

    def _write_manifest(self, capture: Capture, blocks: Sequence[_Block]) -> None:
        manifest = {
            "format": FORMAT,
            "state": asdict(capture.state),
            "storage": capture.storage,
            "words": capture.words,
            "blocks": [asdict(block) for block in blocks],
        }
        body = json.dumps(manifest).encode()
        scratch = self.folder / "manifest.tmp"
        with scratch.open("wb") as file:
            file.write(b"%08x\n" % zlib.crc32(body) + body)
            _made_durable(file)
        scratch.replace(self.folder / "manifest.json")


def _count(blocks: Sequence[_Block], kind: str, name: str) -> int:
    return sum(block.count for block in blocks if (block.kind, block.name) == (kind, name))


def _written(
    file: BinaryIO, file_name: str, name: str, kind: Literal["array", "whole"], values: NDArray[Any]
) -> _Block:
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
    width, offset = list(values.shape[1:]), file.tell()
    file.write(data)
    return _Block(file_name, name, kind, values.dtype.str, width, len(values), offset, len(data), zlib.crc32(data))


def _written_texts(file: BinaryIO, file_name: str, name: str, texts: Sequence[str]) -> _Block:
    data, offset = json.dumps(texts).encode(), file.tell()
    file.write(data)
    return _Block(file_name, name, "texts", "", [], len(texts), offset, len(data), zlib.crc32(data))


def _made_durable(file: BinaryIO) -> None:
    file.truncate()
    file.flush()
    os.fsync(file.fileno())
