"""Items of an RSS or Atom feed, one after the other, in as much memory as one of them takes."""

import codecs
import html.entities
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from vitrine.errors import invalid
from vitrine.rows import DAMAGED, Row, opened

_ITEMS = ("item", "entry")
_CHUNK_BYTES = 1 << 18
# An element's text beyond this is not kept; descriptions of 10 MB are met.
_MAX_TEXT_CHARACTERS = 1 << 24
_REFERENCE = re.compile(r"&(#?\w{1,32};)?")
# What XML does not allow; in UTF-8 no other character has these bytes.
_NO_XML = bytes({*range(32)} - {0x09, 0x0A, 0x0D})
_NO_CHARACTERS = ("\ufffe", "\uffff")
_OWN_ENTITIES = ("amp;", "lt;", "gt;", "quot;", "apos;")
_CUT_REFERENCE_CHARACTERS = 34
_MENDED_REFERENCE = "& or an HTML entity that XML does not know, read as HTML has it"


class XmlItems:
    """The items of a feed: values by element name, lists where one is repeated, objects where it has children.

    `mended` counts what XML itself does not allow and real feeds have: HTML's entities, a bare &, control characters,
    bytes that are no text. Raises InvalidArgument where the feed is broken, after all items before that.
    """

    def __init__(self, path: Path, encoding: str, mended: Counter[str]) -> None:
        self._path = path
        self._encoding = encoding
        self._mended = mended
        self.size = path.stat().st_size

    def rows(self, skip: int = 0) -> Iterator[Row]:
        """The items after the first `skip`."""
        reader = _Reader()
        decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        number, left = 0, ""
        with self._path.open("rb") as raw, opened(raw, "utf-8") as file:
            while True:
                try:
                    chunk = file.read(_CHUNK_BYTES)
                    text = left + decoder.decode(chunk, not chunk)
                    cut = len(text) if not chunk else _whole_references(text)
                    text, left = text[:cut], text[cut:]
                    reader.parser.Parse(self._well_formed(text), not chunk)
                    fault = None
                except expat.ExpatError as error:
                    line, what = error.lineno, expat.errors.messages[error.code]
                    fault = invalid(
                        "PATH",
                        f"{self._path}: line {line}: {what}; nothing after it was read: send the feed whole and mended",
                    )
                except DAMAGED as error:
                    fault = invalid("PATH", f"{self._path} cannot be read to its end: {error}")
                for line, values in reader.items:
                    number += 1
                    if number > skip:
                        yield Row(number, line, raw.tell(), values)
                reader.items.clear()
                if fault is not None:
                    raise fault
                if not chunk:
                    return

    def _well_formed(self, text: str) -> bytes:
        if "\ufffd" in text:
            self._mended[f"bytes that are no text in {self._encoding}"] += text.count("\ufffd")
        for character in _NO_CHARACTERS:
            text = text.replace(character, "")
        data = (_REFERENCE.sub(self._reference, text) if "&" in text else text).encode()
        allowed = data.translate(None, _NO_XML)
        if dropped := len(data) - len(allowed):
            self._mended["control characters that XML does not allow left out"] += dropped
        return allowed

    def _reference(self, found: re.Match[str]) -> str:
        name = found[1] or ""
        if name in _OWN_ENTITIES:
            return found[0]
        if name.startswith("#"):
            character = html.unescape(found[0])
            return found[0] if character.isprintable() or character.isspace() else ""
        self._mended[_MENDED_REFERENCE] += 1
        # Escaped, so that HTML's < does not become a tag.
        return html.entities.html5.get(name, f"&amp;{name}").replace("<", "&lt;")


class _Reader:
    """Builds items as expat reads: `items` holds (line, values) of those that are complete."""

    def __init__(self) -> None:
        # Prefixes are read as they stand: feeds that forget to declare xmlns:g are met.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.buffer_size = 1 << 16
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.items: list[tuple[int, dict[str, Any]]] = []
        self._line = 0
        self._item: dict[str, Any] | None = None
        self._google: set[str] = set()
        # Elements that are open within the item: (name, texts, children).
        self._open: list[tuple[str, list[str], dict[str, Any]]] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._item is not None:
            texts = [attributes["href"]] if name == "link" and "href" in attributes else []
            self._open.append((name, texts, {}))
        elif name.rpartition(":")[2] in _ITEMS:
            self._item, self._google, self._line = {}, set(), self.parser.CurrentLineNumber

    def _text(self, text: str) -> None:
        if self._open and sum(map(len, self._open[-1][1])) < _MAX_TEXT_CHARACTERS:
            self._open[-1][1].append(text)

    def _end(self, _name: str) -> None:
        if self._item is None:
            return
        if not self._open:
            self.items.append((self._line, self._item))
            self._item = None
            return
        name, texts, children = self._open.pop()
        value: Any = children or "".join(texts).strip()
        if self._open:
            _put(self._open[-1][2], name.rpartition(":")[2], value)
            return
        local = name.rpartition(":")[2]
        if ":" not in name and local in self._google:
            return
        if ":" in name and local not in self._google:
            # Atom's own id and RSS's own title yield to Google's.
            self._google.add(local)
            self._item.pop(local, None)
        _put(self._item, local, value)


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    if name not in values:
        values[name] = value
    elif isinstance(values[name], list):
        values[name].append(value)
    else:
        values[name] = [values[name], value]


def _whole_references(text: str) -> int:
    """Where to cut the text so that no reference is torn."""
    start = text.rfind("&", max(0, len(text) - _CUT_REFERENCE_CHARACTERS))
    return start if start >= 0 and ";" not in text[start:] else len(text)
