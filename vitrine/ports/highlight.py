"""Where a query's words are in a product's texts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, in characters: start <= c < end."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Highlight:
    """A field's text, or of a long one the part around the words, and where they are; fields are those of the proto."""

    field: str
    text: str
    spans: tuple[Span, ...]
