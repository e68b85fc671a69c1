"""What each match is worth: how it was read, where the typed text is in it, and how much of the shop it stands for."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from services.retriever.shown_text import ShownText
from services.retriever.simplified import simplified
from services.retriever.suggest.readings import Reading
from services.retriever.suggest.segment import BRAND, CATEGORY, normal_path
from services.retriever.suggest.typed import Typed
from vitrine.ports import Suggestion, SuggestionKind
from vitrine.product import CATEGORY_SEPARATOR, Availability, Product, category_prefixes
from vitrine.text import detect_language, normalize_text

# A word that one product has is no completion but that product.
_LEAST_PRODUCTS = 2
_BEGINS = 0.15
_OTHER_LANGUAGE = 0.7
_OUT_OF_STOCK = 0.8


# What is shown for one text is shown for others.
@lru_cache(maxsize=20_000)
def normal_text(text: str) -> str:
    """The text as typed ones are read: normalised and simplified."""
    return simplified(normalize_text(text))


class Scoring:
    """Turns what matched one reading into suggestions."""

    def __init__(self, typed: Typed, reading: Reading, products: int, language: str) -> None:
        """`products`: how many there are in all; `language`: of what is preferred."""
        self._typed = typed
        self._reading = reading
        self._all = math.log1p(products)
        self._language = language

    def completion(self, word: str, count: int, titles: Sequence[str]) -> Suggestion | None:
        """The text with its last word gone on to a word that so many products have; None where that says nothing.

        Words that products have beside each other need not belong together: one of the normalised titles must hold
        the text.
        """
        text = self._reading.before + word
        if count < _LEAST_PRODUCTS or len(word) < 2 or text == self._typed.text:
            return None
        if self._reading.before:
            if not any(text in title for title in titles):
                return None
        elif word[0].isdigit():
            # A number alone is no wish.
            return None
        return self._suggestion(text, SuggestionKind.QUERY, 0.45 + 0.35 * self._share(count))

    def label(self, key: str, count: int, product: Product) -> Suggestion | None:
        """A brand or category, named as this product of it does; None where the product has another by now."""
        score = 0.5 + 0.35 * self._share(count)
        if key.startswith(BRAND):
            return self._suggestion(product.brand, SuggestionKind.BRAND, score)
        for path in itertools.chain.from_iterable(map(category_prefixes, product.categories)):
            if CATEGORY + normal_path(path) == key:
                return self._suggestion(path, SuggestionKind.CATEGORY, score)
        return None

    def product(self, product: Product) -> Suggestion:
        """A product: the more of its title is typed the better."""
        score = 0.4 + 0.3 * min(1.0, len(self._typed.text) / len(product.title))
        if product.availability is Availability.OUT_OF_STOCK:
            score *= _OUT_OF_STOCK
        return self._suggestion(product.title, SuggestionKind.PRODUCT, score, product.id, product.language)

    def with_spans(self, suggestion: Suggestion) -> Suggestion:
        """The suggestion with the places of the typed words in its text; none where they were read as others."""
        if not self._reading.is_typed:
            return suggestion
        terms = zip(self._typed.words, self._reading.terms, strict=False)
        beginnings = [word.text for word, term in terms if term.beginning]
        words = [word.text for word in self._typed.words]
        return replace(suggestion, spans=tuple(ShownText(suggestion.text).spans(words, beginnings)))

    def _share(self, count: int) -> float:
        return math.log1p(count) / self._all

    def _suggestion(
        self, text: str, kind: SuggestionKind, score: float, product_id: str = "", language: str = ""
    ) -> Suggestion:
        name = text.rpartition(CATEGORY_SEPARATOR)[2] if kind is SuggestionKind.CATEGORY else text
        if self._reading.is_typed and normal_text(name).startswith(self._typed.text):
            score += _BEGINS
        if (language or detect_language(text)).partition("-")[0] != self._language:
            score *= _OTHER_LANGUAGE
        return Suggestion(text, kind, score * self._reading.fit, product_id, mended=self._reading.mended)
