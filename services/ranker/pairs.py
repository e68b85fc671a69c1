"""Pairs of query and product as the model reads them: [first] query [last] product [last], types 0 and 1.

T5's and GPT's tokenizers have no first token.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.ranker.kept_tokens import KeptTokens, TextTokens
from vitrine.errors import VitrineError, invalid
from vitrine.ports import RankCandidate
from vitrine.product import id_violation
from vitrine.text import normalize_text
from vitrine.tokenization import Tokenizer

MAX_TEXT_CHARACTERS = 8_192
SPECIAL_TOKENS = 3  # at most


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids and types of one pair, and how many tokens of each side were cut to make it fit."""

    ids: list[int]
    type_ids: list[int]
    query_tokens_dropped: int = 0
    text_tokens_dropped: int = 0


class PairBuilder:
    """Builds pairs of at most `max_tokens` tokens from query and products tokenised apart.

    The query keeps its first `query_cap` tokens whatever the product's length; the product is cut, by tokens, to the
    room that is left, and the closing token always stays. CPU work: call it through `ComputeBudget.run`.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, query_cap: int, kept: KeptTokens) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._query_cap = query_cap
        self._kept = kept

    @property
    def query_cap(self) -> int:
        """Tokens that a query keeps."""
        return self._query_cap

    def text_room(self, query_tokens: int) -> int:
        """Tokens that a product keeps beside a query of so many."""
        opening = len(self._tokenizer.opening)
        return self._max_tokens - opening - min(query_tokens, self._query_cap) - 2

    def build(self, query: str, candidates: Sequence[RankCandidate]) -> list[Pair | VitrineError]:
        """A pair for each candidate, in order, or what is wrong with that candidate. `query` is normalised."""
        (query_ids,) = self._tokenizer.content_ids([query])
        query_dropped = max(0, len(query_ids) - self._query_cap)
        room = self.text_room(len(query_ids))
        pairs: list[Pair | VitrineError] = []
        for text in self._texts(candidates):
            if isinstance(text, VitrineError):
                pairs.append(text)
                continue
            pair = self.joined(query_ids[: self._query_cap], text.ids[:room])
            pairs.append(
                replace(pair, query_tokens_dropped=query_dropped, text_tokens_dropped=max(0, text.count - room))
            )
        return pairs

    def joined(self, query_ids: Sequence[int], text_ids: Sequence[int]) -> Pair:
        """The pair of tokens that fit, with the special ones."""
        last = self._tokenizer.closing
        head = [*self._tokenizer.opening, *query_ids, last]
        tail = [*text_ids, last]
        return Pair(head + tail, [0] * len(head) + [1] * len(tail))

    def _texts(self, candidates: Sequence[RankCandidate]) -> list[TextTokens | VitrineError]:
        """The tokens of each candidate's text, kept ones first, the others tokenised together."""
        texts: list[TextTokens | VitrineError | None] = []
        seen: set[str] = set()
        for index, candidate in enumerate(candidates):
            fault = candidate_fault(index, candidate, seen)
            seen.add(candidate.id)
            texts.append(fault or self._kept.get(candidate.id, candidate.revision, candidate.text))
        missing = [index for index, text in enumerate(texts) if text is None]
        normalised = [normalize_text(candidates[index].text) for index in missing]
        for index, ids in zip(missing, self._tokenizer.content_ids(normalised), strict=True):
            candidate = candidates[index]
            if not ids:
                texts[index] = invalid(f"candidates[{index}].text", "is empty; give the product's words")
                continue
            tokens = TextTokens(array("i", ids[: self._max_tokens - SPECIAL_TOKENS]), len(ids))
            self._kept.put(candidate.id, candidate.revision, candidate.text, tokens)
            texts[index] = tokens
        return [text for text in texts if text is not None]


def candidate_fault(index: int, candidate: RankCandidate, seen: set[str]) -> VitrineError | None:
    """What is wrong with a candidate, besides a text without words; `seen` are the ids before it."""
    path = f"candidates[{index}]"
    if fault := id_violation(candidate.id):
        return invalid(f"{path}.id", fault)
    if candidate.id in seen:
        return invalid(f"{path}.id", f"{candidate.id!r} was given before; give each product once")
    if len(candidate.text) > MAX_TEXT_CHARACTERS:
        fault = f"has {len(candidate.text)} characters; at most {MAX_TEXT_CHARACTERS} are allowed"
        return invalid(f"{path}.text", fault)
    if candidate.revision < 0:
        return invalid(f"{path}.revision", f"is {candidate.revision}; give the product's revision, or 0")
    if candidate.evidence is not None:
        for name, value in (("dense", candidate.evidence.dense), ("lexical", candidate.evidence.lexical)):
            if not math.isfinite(value):
                return invalid(f"{path}.evidence.{name}", f"is {value}; give a finite number or leave evidence out")
    return None
