"""Evidence of a call: everything that is known beside the relations, asked for at once."""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import structlog

from gateway.recommendation.candidates import Candidates
from gateway.recommendation.columns import Evidence, TextMatches, first_category
from gateway.recommendation.history_vector import HistoryVectors
from gateway.recommendation.placement import Visit
from gateway.recommendation.query import Source
from gateway.search import Degradation
from gateway.together import together
from vitrine.ports import Anchor, VisitorAction
from vitrine.product import Product
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray

log = structlog.get_logger(__name__)

T = TypeVar("T")

CATEGORIES = 3
# Of what sources name, so many become candidates: each costs its share of the answer's time.
_OF_WORDS, _OF_LISTS = 50, 30


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

    def ids(self, of_popular: int) -> list[str]:
        """Products that some source names, each source's first ones; `of_popular` of what is popular everywhere."""
        evidence = self.evidence
        lists: list[Iterable[str]] = [
            islice(evidence.searched.ranks, _OF_WORDS),
            islice(evidence.profile.ranks, _OF_WORDS),
            self.listed,
            islice(evidence.trending, _OF_LISTS),
            islice(evidence.popular_in_country, _OF_LISTS),
            *(islice(weights, _OF_LISTS) for weights in evidence.popular_in_category.values()),
            islice(evidence.popular, of_popular),
        ]
        return list(dict.fromkeys(product_id for one in lists for product_id in one))


class EvidenceSources:
    """Asks all sources at once; only the retriever's loss fails a call."""

    def __init__(self, candidates: Candidates, vectors: HistoryVectors) -> None:
        self._candidates = candidates
        self._vectors = vectors

    async def gathered(self, subject: Subject, visit: Visit) -> Gathered:
        """What is known for a subject. Raises what the retriever raises, and InvalidArgument for the profile text."""
        taste, query = visit.taste, visit.query
        calls: list[Coroutine[Any, Any, Any]] = [
            self._of_history(subject, visit),
            self._counted(Source.POPULAR, visit),
            self._counted(Source.TRENDING, visit),
            self._counted(Source.POPULAR_IN_COUNTRY, visit, country_code=query.country_code),
            self._matches(Source.SEARCHED, subject.searched, visit),
            self._matches(Source.PROFILE, subject.profile_text, visit),
            self._candidates.stated(query.profile, _OF_WORDS, 1.0, visit.wanted),
        ]
        with visit.notes.timed("gather"):
            (vector, liked, in_category), popular, trending, in_country, searched, profile, stated = await together(
                *calls
            )
        weights = {anchor.product_id: anchor.weight for anchor in subject.anchors}
        seen: dict[str, int] = {}
        for action in taste.actions:
            seen[action.product_id] = seen.get(action.product_id, 0) + 1
        evidence = Evidence(
            anchors=[(product, weights[product.id]) for product in liked],
            seen=seen,
            popular=_relative(popular),
            popular_in_category={category: _relative(counted) for category, counted in in_category.items()},
            popular_in_country=_relative(in_country),
            trending=trending,
            searched=searched,
            profile=profile,
            stated=query.profile,
        )
        return Gathered(evidence, vector, [proposal.product.id for proposal in stated.proposals])

    async def _of_history(
        self, subject: Subject, visit: Visit
    ) -> tuple[tuple[FloatArray, str] | None, Sequence[Product], dict[str, dict[str, float]]]:
        """The subject's vector and products, and what is popular in their categories, or in those the call names."""
        history = await self._noted(self._vectors.read(subject.actions, visit.wanted.deadline), visit)
        liked = history.products if history else ()
        named = [*visit.query.filter.categories, *visit.query.profile.categories]
        categories = list(dict.fromkeys(named or filter(None, map(first_category, liked))))[:CATEGORIES]
        calls: list[Coroutine[Any, Any, Any]] = [
            self._counted(Source.POPULAR_IN_CATEGORY, visit, category=category) for category in categories
        ]
        if history is not None:
            calls.append(self._noted(self._vectors.encode(history, visit.wanted.deadline), visit))
        counted = await together(*calls)
        vector = counted.pop() if history is not None else None
        return vector, liked, dict(zip(categories, counted, strict=True))

    async def _noted(self, call: Coroutine[Any, Any, T], visit: Visit) -> T | None:
        """What the call gives; None, and noted, where it fails."""
        try:
            return await call
        except Exception as error:  # The retriever's loss shows where the candidates are asked for.
            log.warning("no history vector, recommended without", error=repr(error))
            visit.notes.degradations.append(Degradation.NO_RECOMMENDER)
            return None

    async def _counted(
        self, source: Source, visit: Visit, *, category: str = "", country_code: str = ""
    ) -> dict[str, float]:
        if source is Source.POPULAR_IN_COUNTRY and not country_code:
            return {}
        return await self._candidates.counted(
            source, visit.wanted, visit.notes, category=category, country_code=country_code
        )

    async def _matches(self, source: Source, text: str, visit: Visit) -> TextMatches:
        if not normalize_text(text):
            return TextMatches()
        found = await self._candidates.by_text(source, text, 1.0, visit.wanted, visit.notes, "profile_text")
        ids = [proposal.product.id for proposal in found.proposals]
        cosines = {
            proposal.product.id: proposal.features["cosine"]
            for proposal in found.proposals
            if "cosine" in proposal.features
        }
        return TextMatches(text, {one: float(rank) for rank, one in enumerate(ids, start=1)}, cosines)


def _relative(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights beside the heaviest."""
    heaviest = max(weights.values(), default=0.0)
    return {product_id: weight / heaviest for product_id, weight in weights.items()} if heaviest > 0 else {}
