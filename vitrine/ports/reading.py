"""How the retriever read a query: what it took a shopper's words for."""

from dataclasses import dataclass
from typing import Literal

Why = Literal["synonym", "pinyin", "spelling", "prefix", "unit", "model_number"]
WHYS: dict[str, Why] = {
    "synonym": "synonym",
    "pinyin": "pinyin",
    "spelling": "spelling",
    "prefix": "prefix",
    "unit": "unit",
    "model_number": "model_number",
}


@dataclass(frozen=True, slots=True)
class WordReading:
    """A word of the query, what it was read as, and why."""

    word: str
    read_as: tuple[str, ...]
    why: Why


@dataclass(frozen=True, slots=True)
class QueryReading:
    """Fields are those of the proto; all are empty of a query that was read as it stands."""

    corrected_query: str = ""
    excluded_words: tuple[str, ...] = ()
    words: tuple[WordReading, ...] = ()
    dense_weight: float | None = None
    model_text: str = ""
