"""Suggests: what the catalogue has beside what others searched for."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.admission import Admission
from gateway.search import Degradation
from gateway.suggest.past_queries import PastQueries, PastQuery
from vitrine.deadline import Deadline
from vitrine.errors import invalid
from vitrine.ports import Retriever, Span, Suggestion, SuggestionKind, SuggestQuery
from vitrine.text import normalize_text

MAX_CHARACTERS = 128
DEFAULT_LIMIT = 8
MAX_LIMIT = 20
# What others asked stands before what the catalogue alone completes.
_PAST_SCORE, _PAST_SHARE, _BEGINS = 0.6, 0.3, 0.15
_MENDED, _SOUNDED = 0.5, 0.7
# Of what is suggested at most this share is queries, where there is enough of others.
_QUERIES = 0.5


@dataclass(frozen=True, slots=True)
class SuggestAnswer:
    """Suggestions, best first, and what was missing."""

    suggestions: tuple[Suggestion, ...]
    degradations: tuple[Degradation, ...]


class Suggester:
    """Completes and mends what a shopper types."""

    def __init__(self, retriever: Retriever, past_queries: PastQueries, admission: Admission) -> None:
        self._retriever = retriever
        self._past_queries = past_queries
        self._admission = admission

    async def suggest(self, query: SuggestQuery, *, deadline: Deadline) -> SuggestAnswer:
        """Raises InvalidArgument, ResourceExhausted, DeadlineExceeded and Unavailable (the retriever is away)."""
        text = _checked_text(query)
        with self._admission.admit():
            found = await self._retriever.suggest(query, deadline=deadline)
            suggestions = [*found.suggestions, *await self._past(text, found.suggestions, query.limit)]
        degradations = () if self._past_queries.is_current else (Degradation.NO_POPULARITY,)
        return SuggestAnswer(_best(suggestions, query.limit), degradations)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._past_queries.close()

    async def _past(self, text: str, found: Sequence[Suggestion], limit: int) -> Iterable[Suggestion]:
        """Past queries that go on from the text, or from what it was mended to or read as."""
        asked = [
            _suggestion(query, len(text), factor=1.0, mended=False)
            for query in await self._past_queries.beginning(text, limit)
        ]
        others = [one for one in found if one.kind is SuggestionKind.QUERY and not one.spans]
        for one in others:
            factor = _MENDED if one.mended else _SOUNDED
            for query in await self._past_queries.beginning(normalize_text(one.text), limit):
                asked.append(_suggestion(query, 0, factor=factor, mended=one.mended))
        return asked


def _suggestion(query: PastQuery, typed: int, *, factor: float, mended: bool) -> Suggestion:
    score = _PAST_SCORE + _PAST_SHARE * query.share + (_BEGINS if query.start == 0 else 0.0)
    spans = (Span(query.start, query.start + typed),) if typed else ()
    return Suggestion(query.text, SuggestionKind.QUERY, factor * score, spans=spans, mended=mended)


def _best(suggestions: Iterable[Suggestion], limit: int) -> tuple[Suggestion, ...]:
    best: dict[tuple[SuggestionKind, str], Suggestion] = {}
    for one in sorted(suggestions, key=lambda one: (-one.score, one.text)):
        best.setdefault((one.kind, normalize_text(one.text)), one)
    counts: Counter[SuggestionKind] = Counter()
    first: list[Suggestion] = []
    rest: list[Suggestion] = []
    for one in best.values():
        counts[one.kind] += 1
        is_much = one.kind is SuggestionKind.QUERY and counts[one.kind] > max(1, round(_QUERIES * limit))
        (rest if is_much else first).append(one)
    chosen = [*first, *rest][:limit]
    return tuple(sorted(chosen, key=lambda one: -one.score))


def _checked_text(query: SuggestQuery) -> str:
    text = normalize_text(query.text)
    if len(query.text) > MAX_CHARACTERS:
        raise invalid("text", f"has {len(query.text)} characters; at most {MAX_CHARACTERS} are allowed")
    if not text:
        raise invalid("text", "is empty; send what was typed so far")
    if not 1 <= query.limit <= MAX_LIMIT:
        raise invalid("limit", f"is {query.limit}; ask for 1 to {MAX_LIMIT}")
    return text
