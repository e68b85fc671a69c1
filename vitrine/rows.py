"""Rows of a product file: JSON lines, CSV or Parquet, one after the other, with where each stood."""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from vitrine.errors import invalid

FORMATS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
# Descriptions of 10 MB are met; a cell beyond this is a quote that was never closed.
MAX_CELL_CHARACTERS = 1 << 24
_CHUNK_BYTES = 1 << 20
# What `opened` and its file raise where an archive or its text is torn.
DAMAGED = (OSError, EOFError, zlib.error, UnicodeError)


@dataclass(frozen=True, slots=True)
class Row:
    """A row by its `number` among the rows, from 1, and its `line` in the file; `fault` says why it has no values.

    `position` is how far the file was read, in the unit of `RowFile.size`.
    """

    number: int
    line: int
    position: int
    values: dict[str, Any]
    fault: str = ""


class RowFile:
    """A product file. Raises InvalidArgument for one that cannot be read.

    `ending`, the format by the ending it usually has, is that of the name where it is not given; `encoding` is of text,
    and `delimiter` of cells, as the format has it where it is not given.
    """

    def __init__(self, path: Path, *, ending: str = "", encoding: str = "utf-8-sig", delimiter: str = "") -> None:
        self.path = path
        suffixes = [suffix.lower() for suffix in path.suffixes]
        self._gzip = suffixes[-1:] == [".gz"]
        self.format = [ending] if ending else (suffixes[:-1] if self._gzip else suffixes)[-1:]
        self._encoding = encoding
        if not self.format or self.format[0] not in FORMATS or (self._gzip and self.format[0] == ".parquet"):
            endings = ", ".join((*FORMATS, *(f"{ending}.gz" for ending in FORMATS[:-1])))
            raise invalid("PATH", f"{path.name}: give a file that ends in one of {endings}")
        if not path.is_file():
            raise invalid("PATH", f"there is no file {path}")
        self._delimiter = delimiter or ("\t" if self.format[0] == ".tsv" else ",")
        self.size = path.stat().st_size
        if self.format[0] == ".parquet":
            self.size = _parquet(path).metadata.num_rows

    def rows(self, skip: int = 0) -> Iterator[Row]:
        """The rows after the first `skip`. Raises InvalidArgument where the file itself is damaged."""
        read = {".parquet": self._parquet_rows, ".csv": self._csv_rows, ".tsv": self._csv_rows}
        try:
            yield from read.get(self.format[0], self._json_rows)(skip)
        except DAMAGED as error:
            raise invalid("PATH", f"{self.path} cannot be read to its end: {error}") from error

    def _open(self) -> tuple[IO[bytes], IO[bytes]]:
        raw = self.path.open("rb")
        return raw, opened(raw, self._encoding)

    def _json_rows(self, skip: int) -> Iterator[Row]:
        raw, file = self._open()
        with raw, file:
            number = 0
            for line, data in enumerate(file, 1):
                if not data.strip():
                    continue
                number += 1
                if number > skip:
                    yield _json_row(number, line, raw.tell(), data.removeprefix(codecs.BOM_UTF8))

    def _csv_rows(self, skip: int) -> Iterator[Row]:
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        raw, file = self._open()
        # Bytes that are not UTF-8 become lone surrogates, and so cost their row and not the file.
        with raw, file, io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text:
            reader = csv.reader(text, delimiter=self._delimiter)
            header = [name.strip() for name in next(reader, [])]
            while header and not header[-1]:
                header.pop()
            if len(set(header)) < len(header) or not all(header):
                raise invalid("PATH", f"{self.path}: the first line must name each column once; it is {header}")
            number = 0
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    cells, fault = [], str(error)
                else:
                    if not cells:
                        continue
                    while len(cells) > len(header) and not cells[-1]:
                        cells.pop()
                    fault = _csv_fault(header, cells)
                number += 1
                if number > skip:
                    values = {} if fault else dict(zip(header, cells, strict=True))
                    yield Row(number, line, raw.tell(), values, fault)

    def _parquet_rows(self, skip: int) -> Iterator[Row]:
        number = 0
        for batch in self._parquet_batches():
            if number + batch.num_rows <= skip:
                number += batch.num_rows
                continue
            for values in self._values(batch):
                number += 1
                if number > skip:
                    yield Row(number, number, number, values)

    def _values(self, batch: Any) -> list[dict[str, Any]]:
        try:
            values: list[dict[str, Any]] = batch.to_pylist()
        except (ValueError, OverflowError) as error:
            # Such as a time zone that nobody knows.
            raise invalid("PATH", f"{self.path} holds what cannot be read: {error}") from error
        return values

    def _parquet_batches(self) -> Iterator[Any]:
        import pyarrow

        # One row group at a time is what memory holds.
        try:
            yield from _parquet(self.path).iter_batches(batch_size=512)
        except pyarrow.ArrowException as error:
            raise invalid("PATH", f"{self.path} cannot be read to its end: {error}") from error


def opened(raw: IO[bytes], encoding: str) -> IO[bytes]:
    """The file's bytes, unpacked where they are gzip, as UTF-8; what its encoding does not know stays as it is."""
    is_gzip = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    file: Any = gzip.GzipFile(fileobj=raw) if is_gzip else raw
    return file if encoding.startswith("utf-8") else io.BufferedReader(_Utf8(file, encoding), _CHUNK_BYTES)


class _Utf8(io.RawIOBase):
    """A stream of another encoding as UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and not self._ended:
            chunk = self._file.read(_CHUNK_BYTES)
            self._ended = not chunk
            self._left = self._decoder.decode(chunk, self._ended).encode("utf-8", "surrogateescape")
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


def _json_row(number: int, line: int, position: int, data: bytes) -> Row:
    try:
        values = json.loads(data)
    except UnicodeDecodeError as error:
        return Row(number, line, position, {}, f"is not UTF-8 (byte {error.start} of the line)")
    except (ValueError, RecursionError) as error:  # ValueError: a number of thousands of digits is one too
        return Row(number, line, position, {}, f"is not JSON: {error}")
    if not isinstance(values, dict):
        return Row(number, line, position, {}, f"is a JSON {type(values).__name__}, and an object is needed")
    return Row(number, line, position, values)


def _csv_fault(header: list[str], cells: list[str]) -> str:
    if len(cells) != len(header):
        return f"has {len(cells)} cells, and the first line names {len(header)} columns"
    if any("\udc80" <= character <= "\udcff" for cell in cells for character in cell):
        return "holds bytes that are no text in its encoding"
    return ""


def _parquet(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise invalid("PATH", f"{path} is not a Parquet file: {error}") from error
