"""Suggestions while a shopper types: what is asked and what is suggested."""

from dataclasses import dataclass
from enum import Enum

from vitrine.ports.highlight import Span


class SuggestionKind(Enum):
    """What a suggestion is; meanings are those of retriever_service.proto."""

    QUERY = "query"
    PRODUCT = "product"
    BRAND = "brand"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class SuggestQuery:
    """What was typed so far, how many suggestions, and the language preferred; "": by the text's script."""

    text: str
    limit: int = 10
    language: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a shopper may mean; fields are those of the proto."""

    text: str
    kind: SuggestionKind
    score: float
    product_id: str = ""
    spans: tuple[Span, ...] = ()
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The best first, no text twice of one kind."""

    suggestions: tuple[Suggestion, ...]
    revision: int = 0
