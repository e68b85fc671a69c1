"""What a shopper typed, read: its words, of which the last one may go on."""

import re
from dataclasses import dataclass

import rjieba

from services.retriever.simplified import simplified
from vitrine.text import normalize_text

MAX_CHARACTERS = 128
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_HAN_FIRST = re.compile(rf"[{_HAN}]")
_RUN = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:(?<=\d)\.\d+)?")
_MAX_WORDS = 12


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it begins in the normalised text."""

    text: str
    start: int

    @property
    def is_han(self) -> bool:
        """Whether it is Chinese."""
        return bool(_HAN_FIRST.match(self.text))


@dataclass(frozen=True, slots=True)
class Typed:
    """The normalised, simplified text, and its words; `is_open`: the last of them may go on."""

    text: str
    words: tuple[Word, ...]
    is_open: bool

    @property
    def before_last(self) -> str:
        """The text before its last word."""
        return self.text[: self.words[-1].start]

    @property
    def joined(self) -> str:
        """All words as one: "wh1000 xm" is how some write "WH-1000XM5"."""
        return "".join(word.text for word in self.words)


def read_typed(text: str) -> Typed:
    """Reads what was typed so far; there may be no word in it."""
    normalized = simplified(normalize_text(text))
    words: list[Word] = []
    for run in _RUN.finditer(normalized):
        start = run.start()
        for part in rjieba.cut(run.group()) if _HAN_FIRST.match(run.group()) else [run.group()]:
            words.append(Word(part, start))
            start += len(part)
    # A blank behind a word says that it is whole; in Chinese nobody types one.
    is_open = bool(words) and (words[-1].is_han or not text[-1:].isspace())
    return Typed(normalized, tuple(words[:_MAX_WORDS]), is_open)
