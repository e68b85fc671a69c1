"""Relevance: which sponsored products fit a call well enough, by its query, its anchors or the visitor's history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.ads.settings import AdsSettings
from gateway.ranking import RankStage
from gateway.recommendation.candidates import Candidates
from gateway.recommendation.placement import Visit
from gateway.recommendation.query import Source
from gateway.text_retrieval import TextRetrieval, text_scores
from vitrine.ports import Anchor, ProductFilter, RetrievalQuery, Retriever
from vitrine.product import Availability, Product
from vitrine.text import normalize_text

# Sponsored products that the ranker looks at, best retrieved first.
_RANKED = 50
_BUYABLE = (Availability.IN_STOCK, Availability.PREORDER, Availability.BACKORDER)
# Of an ad that nothing speaks for or against.
_MIDDLING = 0.5


@dataclass(frozen=True, slots=True)
class Relevant:
    """A product that is relevant, how much in (0, 1], and to what; `source` None: there is nothing to go by."""

    product: Product
    relevance: float
    source: Source | None = None
    product_ids: tuple[str, ...] = ()
    text: str = ""
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What is relevant, by id, and the anchors of the call that the catalogue does not hold."""

    by_id: Mapping[str, Relevant]
    missing_ids: tuple[str, ...] = ()


class AdRelevance:
    """Finds what is relevant; every method raises what the retriever raises."""

    def __init__(
        self,
        candidates: Candidates,
        text_retrieval: TextRetrieval,
        rank_stage: RankStage,
        retriever: Retriever,
        settings: AdsSettings,
    ) -> None:
        self._candidates = candidates
        self._text_retrieval = text_retrieval
        self._rank_stage = rank_stage
        self._retriever = retriever
        self._settings = settings

    async def find(self, visit: Visit, sponsored: Sequence[str]) -> Found:
        """Which of the sponsored products may be shown: buyable, matching the filter, and relevant.

        To the first of these that is given: the query, the anchors, the history, the profile text. Where nothing is,
        none, unless the settings say all.
        """
        query, limits = visit.query, _limits(visit.query.filter, sponsored)
        if limits is None:
            return Found({})
        if normalize_text(query.query):
            return Found(await self._by_text(Source.SEARCHED, query.query, limits, visit))
        if query.product_ids:
            anchors = [Anchor(product_id) for product_id in dict.fromkeys(query.product_ids)]
            return await self._near(Source.TEXT_SIMILAR, anchors, limits, visit)
        if visit.taste.liked:
            return replace(await self._near(Source.HISTORY, visit.taste.liked, limits, visit), missing_ids=())
        if normalize_text(query.profile_text):
            return Found(await self._by_text(Source.PROFILE, query.profile_text, limits, visit))
        if not self._settings.untargeted:
            return Found({})
        with visit.notes.timed("retrieve"):
            read = await self._retriever.get_products(sponsored[:1_000], deadline=visit.wanted.deadline, filter=limits)
        return Found({product.id: Relevant(product, _MIDDLING) for product in read.products})

    async def _by_text(self, source: Source, text: str, limits: ProductFilter, visit: Visit) -> dict[str, Relevant]:
        normalized, notes, deadline = normalize_text(text), visit.notes, visit.wanted.deadline
        wanted = RetrievalQuery(text=normalized, filter=limits, depth=_RANKED)
        retrieval = await self._text_retrieval.retrieve(wanted, notes, deadline)
        with notes.timed("rank"):
            ordered = await self._rank_stage.order(
                normalized, retrieval.candidates, best_bm25=retrieval.best_bm25, asked=_RANKED, deadline=deadline
            )
        if ordered.degradation is not None:
            notes.degradations.append(ordered.degradation)
        found = {}
        for place, candidate in enumerate(ordered.candidates):
            scores = text_scores(candidate)
            rank = ordered.ranks[place] if place < len(ordered.ranks) else None
            if rank is not None:
                relevance, least = rank.probability, self._settings.min_probability
                scores["probability"] = relevance
            elif "cosine" in scores:
                relevance, least = scores["cosine"], self._settings.min_query_cosine
            else:
                # Neither ranker nor embedder: by words, and only what has most of them.
                relevance, least = scores["bm25"] / (retrieval.best_bm25 or 1.0), self._settings.min_probability
            if candidate.product is not None and relevance >= least and relevance > 0:
                found[candidate.product_id] = Relevant(
                    candidate.product, min(relevance, 1.0), source, text=text, features=scores
                )
        return found

    async def _near(self, source: Source, anchors: Sequence[Anchor], limits: ProductFilter, visit: Visit) -> Found:
        wanted = replace(visit.wanted, filter=limits, excluded=frozenset())
        with visit.notes.timed("retrieve"):
            similar = await self._candidates.near(anchors, visit.settings.interests, wanted)
        found: dict[str, Relevant] = {}
        for interest in similar.interests:
            for near in interest.candidates:
                known = found.get(near.product.id)
                if near.cosine < max(self._settings.min_cosine, known.relevance if known else 0.0) or near.cosine <= 0:
                    continue
                led = tuple(dict.fromkeys((near.nearest_anchor_id, interest.anchor.id)))
                features = {"cosine": near.cosine}
                found[near.product.id] = Relevant(near.product, min(near.cosine, 1.0), source, led, features=features)
        return Found(found, similar.missing_ids)


def _limits(filter: ProductFilter, sponsored: Sequence[str]) -> ProductFilter | None:
    """The call's filter within the sponsored products that can be bought; None where nothing can match."""
    availabilities = tuple(one for one in filter.availabilities or _BUYABLE if one in _BUYABLE)
    product_ids = [one for one in sponsored if not filter.product_ids or one in filter.product_ids]
    if not availabilities or not product_ids:
        return None
    return replace(filter, availabilities=availabilities, kinds=(), product_ids=tuple(product_ids))
