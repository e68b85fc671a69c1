"""Where words are in a text as it is shown, though they are looked for in its normalised form."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from services.retriever.simplified import simplified
from vitrine.ports import Span
from vitrine.text import normalize_text


class ShownText:
    """A text whose normalised characters know which character of the text they come from."""

    def __init__(self, text: str) -> None:
        if text.isascii():
            self.folded = text.lower()
            self._origins: list[int] | None = None
            return
        folded: list[str] = []
        self._origins = []
        for place, character in enumerate(text):
            # One by one: what composes with its neighbour ("e" and an accent) is not found, which only marks less.
            plain = _folded(character)
            folded.append(plain)
            self._origins += [place] * len(plain)
        self.folded = "".join(folded)

    def spans(self, words: Iterable[str], beginnings: Iterable[str] = ()) -> list[Span]:
        """Where normalised words are, and where words of the text begin with `beginnings`; ascending, not overlapping.

        In Chinese a word begins and ends anywhere.
        """
        begin = frozenset(beginnings)
        return self.at(place for word in begin.union(words) if word for place in self._places(word, word in begin))

    def at(self, places: Iterable[tuple[int, int]]) -> list[Span]:
        """Where parts of the folded text are in the text; those that touch are one."""
        spans: list[Span] = []
        for first, last in sorted(places):
            start, end = self._origin(first), self._origin(last - 1) + 1
            if spans and start <= spans[-1].end:
                spans[-1] = Span(spans[-1].start, max(end, spans[-1].end))
            else:
                spans.append(Span(start, end))
        return spans

    def _places(self, word: str, may_go_on: bool) -> Iterator[tuple[int, int]]:
        start = self.folded.find(word)
        while start >= 0:
            end = start + len(word)
            stands_alone = not _joins(self.folded[start - 1 : start]) and (
                may_go_on or not _joins(self.folded[end : end + 1])
            )
            if stands_alone or not word.isascii():
                yield start, end
            start = self.folded.find(word, start + 1)

    def _origin(self, place: int) -> int:
        return place if self._origins is None else self._origins[place]


@lru_cache(maxsize=20_000)
def _folded(character: str) -> str:
    return " " if character.isspace() else simplified(normalize_text(character))


def _joins(character: str) -> bool:
    """Whether a character next to a word makes it part of a longer one; the empty text does not."""
    return character.isascii() and character.isalnum()
