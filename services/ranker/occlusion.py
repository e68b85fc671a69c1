"""Occlusion: a pair without each of its words in turn, which says what the word did (Zeiler and Fergus 2014).

Words are found, and taken out, in the texts as they were sent: so spans are exact whatever normalising does to them,
and the model reads what it would have read of a text without the word.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import rjieba

from services.ranker.pairs import Pair, PairBuilder
from vitrine.ports import Explanation, RankCandidate, TokenAttribution
from vitrine.text import normalize_text
from vitrine.tokenization import Tokenizer

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_HAN_FIRST = re.compile(rf"[{_HAN}]")
# A run of Han characters, or letters, digits and accents with what joins them; as search by words divides them.
_LETTERS = rf"(?:[^\W_{_HAN}]|[\u0300-\u036f])+"
_RUN = re.compile(rf"[{_HAN}]+|{_LETTERS}(?:[-./'’]{_LETTERS})*")


@dataclass(frozen=True, slots=True)
class Span:
    """A word: its first character and one past its last."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Occlusions:
    """The pairs whose logits make a candidate's explanation.

    `pairs` are: as Rank scores it; as far as whole words fit; without each of `query_words`; without each of
    `text_words`.
    """

    query: str
    text: str
    query_words: Sequence[Span]
    text_words: Sequence[Span]
    pairs: Sequence[Pair]

    def explanation(self, index: int, candidate_id: str, logits: Sequence[float]) -> Explanation:
        """The explanation by the logits of `pairs`."""
        logit, base, *without = logits
        falls = [base - one for one in without]
        return Explanation(
            index=index,
            id=candidate_id,
            logit=logit,
            query_tokens=_attributions(self.query, self.query_words, falls[: len(self.query_words)]),
            text_tokens=_attributions(self.text, self.text_words, falls[len(self.query_words) :]),
            text=self.text,
        )


class Occluder:
    """Takes words out of pairs. CPU work: call it through `ComputeBudget.run`."""

    def __init__(self, tokenizer: Tokenizer, pairs: PairBuilder) -> None:
        self._tokenizer = tokenizer
        self._pairs = pairs

    def occlusions(self, query: str, candidate: RankCandidate) -> Occlusions:
        """The pairs of one candidate, which is sound, and a query that is not empty."""
        whole_query, whole_text = self._ids([query, candidate.text])
        query_room = self._pairs.query_cap
        text_room = self._pairs.text_room(len(whole_query))
        query_words, read_query = self._read(query, len(whole_query), query_room)
        text_words, read_text = self._read(candidate.text, len(whole_text), text_room)
        shorter_queries = [_without(read_query, word) for word in query_words]
        shorter_texts = [_without(read_text, word) for word in text_words]
        base_query, base_text, *shorter = self._ids([read_query, read_text, *shorter_queries, *shorter_texts])
        without_query, without_text = shorter[: len(query_words)], shorter[len(query_words) :]

        def pair(query_ids: list[int], text_ids: list[int]) -> Pair:
            # Cut as the whole pair is: what a shorter query leaves room for was not read before either.
            return self._pairs.joined(query_ids[:query_room], text_ids[:text_room])

        pairs = [pair(whole_query, whole_text), pair(base_query, base_text)]
        pairs += [pair(ids, base_text) for ids in without_query]
        pairs += [pair(base_query, ids) for ids in without_text]
        return Occlusions(query, candidate.text, query_words, text_words, pairs)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return self._tokenizer.content_ids([normalize_text(text) for text in texts])

    def _read(self, text: str, tokens: int, room: int) -> tuple[Sequence[Span], str]:
        """The words that fit into `room` tokens, and the text as far as they go; all of it where it fits."""
        words = words_of(text)
        if tokens <= room:
            return words, text
        fitting = _last(len(words), lambda count: len(self._ids([text[: words[count - 1].end]])[0]) <= room)
        return words[:fitting], text[: words[fitting - 1].end] if fitting else ""


def words_of(text: str) -> list[Span]:
    """The words of a text in order; Chinese is segmented, numbers and names stay whole ("wh-1000xm4")."""
    spans: list[Span] = []
    for run in _RUN.finditer(text):
        start = run.start()
        words = rjieba.cut(run.group()) if _HAN_FIRST.match(run.group()) else [run.group()]
        for word in words:
            spans.append(Span(start, start + len(word)))
            start += len(word)
    return spans


def _without(text: str, word: Span) -> str:
    return text[: word.start] + text[word.end :]


def _last(most: int, holds: Callable[[int], bool]) -> int:
    """The largest count in [0, most] for which it holds; it holds for 0, and once not, never again."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _attributions(text: str, words: Sequence[Span], falls: Sequence[float]) -> tuple[TokenAttribution, ...]:
    return tuple(
        TokenAttribution(text[word.start : word.end], word.start, word.end, fall)
        for word, fall in zip(words, falls, strict=True)
    )
