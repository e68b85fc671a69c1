"""Evidence of a call: everything that is known beside the relations, asked for at once."""

from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import structlog

from gateway.recommendation.candidates import Candidates
from gateway.recommendation.columns import Evidence, TextMatches, first_category
from gateway.recommendation.history_vector import HistoryVectors
from gateway.recommendation.placement import Visit
from gateway.recommendation.popular import Counted
from gateway.recommendation.query import Profile, Source
from gateway.search import Degradation
from gateway.together import together
from vitrine.ports import Anchor, VisitorAction
from vitrine.product import Product
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray

log = structlog.get_logger(__name__)

T = TypeVar("T")

CATEGORIES = 3
# Of what sources name, so many become candidates: each costs its share of the answer's time. Of the lists of a
# category, a country or a trend as many as a page shows: what the fusion learns from has no candidates of theirs.
_OF_WORDS, _LIST_PART = 50, 4


@dataclass(frozen=True, slots=True)
class Subject:
    """What candidates shall suit: products with weights, what was done with them (newest first), and for HOME words."""

    anchors: Sequence[Anchor]
    actions: Sequence[VisitorAction]
    searched: str = ""
    profile_text: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The evidence; the subject's vector with its recommender's digest where there is one; and what meets a profile."""

    evidence: Evidence
    vector: tuple[FloatArray, str] | None
    listed: Sequence[str]
    excluded: frozenset[str]

    def ids(self, of_popular: int) -> list[str]:
        """Products that some source names, each source's first ones; `of_popular` of what is popular everywhere."""
        evidence, of_lists = self.evidence, of_popular // _LIST_PART
        lists: list[Iterable[str]] = [
            islice(evidence.searched.ranks, _OF_WORDS),
            islice(evidence.profile.ranks, _OF_WORDS),
            self.listed,
            self._first(evidence.trending, of_lists),
            self._first(evidence.popular_in_country, of_lists),
            *(self._first(weights, of_lists) for weights in evidence.popular_in_category.values()),
            self._first(evidence.popular, of_popular),
        ]
        return list(dict.fromkeys(product_id for one in lists for product_id in one))

    def _first(self, ids: Iterable[str], count: int) -> Iterable[str]:
        return islice((one for one in ids if one not in self.excluded), count)


class EvidenceSources:
    """Asks all sources at once; only the retriever's loss fails a call."""

    def __init__(self, candidates: Candidates, vectors: HistoryVectors) -> None:
        self._candidates = candidates
        self._vectors = vectors

    async def gathered(self, subject: Subject, visit: Visit) -> Gathered:
        """What is known for a subject. Raises what the retriever raises, and InvalidArgument for the profile text."""
        taste, query = visit.taste, visit.query
        of_history = self._of_history(subject, visit)
        lists = {Source.POPULAR: "", Source.TRENDING: ""}
        if query.country_code:
            lists[Source.POPULAR_IN_COUNTRY] = query.country_code
        # What is in memory, and what there is nothing to ask about, is not called: calls cost turns of the event loop.
        found: dict[Source, Any] = {}
        further: dict[Source, Coroutine[Any, Any, Any]] = {}
        for source, country_code in lists.items():
            if (kept := self._candidates.kept(source, country_code=country_code)) is not None:
                found[source] = kept
            else:
                further[source] = self._counted(source, visit, country_code=country_code)
        for source, text in ((Source.SEARCHED, subject.searched), (Source.PROFILE, subject.profile_text)):
            if normalize_text(text):
                further[source] = self._matches(source, text, visit)
        if query.profile != Profile():
            further[Source.NEWEST] = self._candidates.stated(query.profile, _OF_WORDS, 1.0, visit.wanted)
        with visit.notes.timed("gather"):
            (vector, liked, in_category), *others = await together(of_history, *further.values())
        found |= zip(further, others, strict=True)
        weights = {anchor.product_id: anchor.weight for anchor in subject.anchors}
        seen: dict[str, int] = {}
        for action in taste.actions:
            seen[action.product_id] = seen.get(action.product_id, 0) + 1
        evidence = Evidence(
            anchors=[(product, weights[product.id]) for product in liked],
            seen=seen,
            popular=found[Source.POPULAR].relative,
            popular_in_category={category: counted.relative for category, counted in in_category.items()},
            popular_in_country=found.get(Source.POPULAR_IN_COUNTRY, Counted()).relative,
            trending=found[Source.TRENDING].weights,
            searched=found.get(Source.SEARCHED, TextMatches()),
            profile=found.get(Source.PROFILE, TextMatches()),
            stated=query.profile,
        )
        stated = found[Source.NEWEST].proposals if Source.NEWEST in found else ()
        return Gathered(evidence, vector, [proposal.product.id for proposal in stated], visit.wanted.excluded)

    async def _of_history(
        self, subject: Subject, visit: Visit
    ) -> tuple[tuple[FloatArray, str] | None, Sequence[Product], dict[str, Counted]]:
        """The subject's vector and products, and what is popular in their categories, or in those the call names."""
        history = await self._noted(self._vectors.read(subject.actions, visit.wanted.deadline), visit)
        liked = history.products if history else ()
        named = [*visit.query.filter.categories, *visit.query.profile.categories]
        categories = list(dict.fromkeys(named or filter(None, map(first_category, liked))))[:CATEGORIES]
        source = Source.POPULAR_IN_CATEGORY
        known = {category: self._candidates.kept(source, category=category) for category in categories}
        asked = [category for category, kept in known.items() if kept is None]
        calls: list[Coroutine[Any, Any, Any]] = [self._counted(source, visit, category=one) for one in asked]
        if history is not None:
            calls.append(self._noted(self._vectors.encode(history, visit.wanted.deadline), visit))
        answers = await together(*calls)
        vector = answers.pop() if history is not None else None
        read = dict(zip(asked, answers, strict=True))
        return vector, liked, {category: kept or read[category] for category, kept in known.items()}

    async def _noted(self, call: Coroutine[Any, Any, T], visit: Visit) -> T | None:
        """What the call gives; None, and noted, where it fails."""
        try:
            return await call
        except Exception as error:  # The retriever's loss shows where the candidates are asked for.
            log.warning("no history vector, recommended without", error=repr(error))
            visit.notes.degradations.append(Degradation.NO_RECOMMENDER)
            return None

    async def _counted(self, source: Source, visit: Visit, *, category: str = "", country_code: str = "") -> Counted:
        return await self._candidates.counted(
            source, visit.wanted, visit.notes, category=category, country_code=country_code
        )

    async def _matches(self, source: Source, text: str, visit: Visit) -> TextMatches:
        found = await self._candidates.by_text(source, text, 1.0, visit.wanted, visit.notes, "profile_text")
        ids = [proposal.product.id for proposal in found.proposals]
        cosines = {
            proposal.product.id: proposal.features["cosine"]
            for proposal in found.proposals
            if "cosine" in proposal.features
        }
        return TextMatches(text, {one: float(rank) for rank, one in enumerate(ids, start=1)}, cosines)
