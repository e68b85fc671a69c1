"""The placement CONTENT: reviews and guides for a query, about products, or about what a visitor likes."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.content.answers import answers
from gateway.content.standing import standing
from gateway.content.words import is_whole
from gateway.recommendation.blend import HALF_PLACE, CandidateList, Proposal, blended
from gateway.recommendation.candidates import Candidates, Wanted, lists_of
from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import Reason, Recommendation, Source
from gateway.search import Degradation
from vitrine.ports import Anchor, ProductFilter, Retriever, Similar
from vitrine.product import CONTENT_KINDS
from vitrine.text import normalize_text

# Shares of the lists; they are divided by their sum, see `blended`.
_ABOUT_SHARE = 1.0
_SEARCHED_SHARE = 0.6
_PROFILE_SHARE = 0.5
_LIKED_SHARE = 0.3
# So little that it stands behind all that is about the products, but for poor texts.
_NEAR_SHARE = 0.02
# Points of the first that only fills up.
_FILL_SCORE = 0.001
# Products that a query is taken to mean.
_MEANT = 5
_POPULAR = 50
_MAX_FILTER_IDS = 100
_MAX_EXCLUDED = 2_000
_MAX_IDS = 1_000


class Content:
    """Recommends reviews and guides."""

    def __init__(self, candidates: Candidates, retriever: Retriever) -> None:
        self._candidates = candidates
        self._retriever = retriever

    async def recommend(self, visit: Visit) -> Listing:
        """See `PlacementRecommender.recommend`: for the query, else for product_ids, else for the visitor."""
        query = visit.query
        wanted = replace(visit.wanted, filter=_content(visit.wanted.filter))
        missing: tuple[str, ...] = ()
        if query.product_ids:
            lists, missing = await self._about_products(visit, wanted)
            scored = blended(lists)
        elif normalize_text(query.query):
            scored = await self._answers(visit, wanted)
        else:
            scored = blended(await self._for_visitor(visit, wanted))
        results = await self._filled_up(scored, visit, wanted)
        return Listing(await self._whole(results, wanted), missing)

    async def _about_products(self, visit: Visit, wanted: Wanted) -> tuple[list[CandidateList], tuple[str, ...]]:
        """About the anchors first, by the query where there is one, and then what is near to them."""
        ids = tuple(dict.fromkeys(visit.query.product_ids))
        anchors = [Anchor(product_id) for product_id in ids]
        near = await self._near(anchors, visit, wanted)
        lists = lists_of(near, Source.TEXT_SIMILAR, _NEAR_SHARE)
        if about := _about(wanted, ids):
            lists += lists_of(await self._near(anchors, visit, about), Source.ABOUT, _ABOUT_SHARE)
            if normalize_text(visit.query.query):
                lists.append(await self._searched(visit, about, _ABOUT_SHARE))
        return lists, near.missing_ids

    async def _answers(self, visit: Visit, wanted: Wanted) -> list[Recommendation]:
        """What answers the query, and what is about the products that answer it."""
        found = [await self._searched(visit, wanted, 1.0)]
        products = replace(wanted, filter=ProductFilter(), excluded=frozenset(), depth=_MEANT)
        meant = (await self._searched(visit, products, 1.0)).proposals
        if about := _about(wanted, [one.product.id for one in meant]):
            found.append(await self._searched(visit, about, 1.0))
            if Degradation.LEXICAL_ONLY in visit.notes.degradations:
                # Searched by words, what is about a product and does not name it is found by the product.
                anchors = [Anchor(one.product.id) for one in meant]
                found += lists_of(await self._near(anchors, visit, about), Source.ABOUT, 1.0)
        return answers(found, meant)

    async def _for_visitor(self, visit: Visit, wanted: Wanted) -> list[CandidateList]:
        """About and near what the visitor likes; for one who is not known, by profile or about what is popular."""
        lists: list[CandidateList] = []
        liked = list(visit.taste.liked)
        if liked:
            lists += lists_of(await self._near(liked, visit, wanted), Source.HISTORY, _LIKED_SHARE)
            if about := _about(wanted, [anchor.product_id for anchor in liked]):
                lists += lists_of(await self._near(liked, visit, about), Source.ABOUT, _ABOUT_SHARE)
        texts = (
            (Source.SEARCHED, visit.taste.searched, _SEARCHED_SHARE),
            (Source.PROFILE, visit.query.profile_text, _PROFILE_SHARE),
        )
        for source, text, share in texts:
            if normalize_text(text):
                lists.append(await self._candidates.by_text(source, text, share, wanted, visit.notes, "profile_text"))
        if not any(one.proposals for one in lists):
            products = replace(wanted, filter=ProductFilter(), depth=_POPULAR)
            popular = await self._candidates.popular(Source.POPULAR, 1.0, products, visit.notes)
            anchors = [Anchor(one.product.id, one.features["weight"]) for one in popular.proposals]
            if about := _about(wanted, [anchor.product_id for anchor in anchors]):
                lists += lists_of(await self._near(anchors, visit, about), Source.POPULAR, 1.0)
        return lists

    async def _near(self, anchors: list[Anchor], visit: Visit, wanted: Wanted) -> Similar:
        with visit.notes.timed("retrieve"):
            return await self._candidates.near(anchors, visit.settings.interests, wanted)

    async def _searched(self, visit: Visit, wanted: Wanted, share: float) -> CandidateList:
        return await self._candidates.by_text(Source.SEARCHED, visit.query.query, share, wanted, visit.notes, "query")

    async def _filled_up(self, scored: Sequence[Recommendation], visit: Visit, wanted: Wanted) -> list[Recommendation]:
        """The best `page_size` of what stands, filled up by what was written last while there is more."""
        count = visit.query.page_size
        living = await self._of_living(scored, wanted)
        looked_at = {one.product.id for one in scored}
        while len(stood := standing(living, count)) < count and len(looked_at | wanted.excluded) < _MAX_EXCLUDED:
            with visit.notes.timed("retrieve"):
                newest = await self._candidates.newest(wanted.depth, 1.0, looked_at, wanted)
            if not newest.proposals:
                break
            living += await self._of_living(_filling(newest.proposals, len(looked_at)), wanted)
            looked_at.update(one.product.id for one in newest.proposals)
        return stood

    async def _whole(self, results: Sequence[Recommendation], wanted: Wanted) -> list[Recommendation]:
        """The results with all that they say, where the retriever told the beginning alone."""
        ids = [one.product.id for one in results if not is_whole(one.product)]
        if not ids:
            return list(results)
        found = await self._retriever.get_products(ids, deadline=wanted.deadline, with_description=True)
        said = {product.id: product.description for product in found.products}
        return [
            replace(one, product=replace(one.product, description=said.get(one.product.id, one.product.description)))
            for one in results
        ]

    async def _of_living(self, scored: Sequence[Recommendation], wanted: Wanted) -> list[Recommendation]:
        """Without content of which all products are gone from the catalogue; the other's links lead somewhere."""
        ids = list(dict.fromkeys(about for one in scored for about in one.product.about_product_ids))
        living: set[str] = set()
        for start in range(0, len(ids), _MAX_IDS):
            found = await self._retriever.get_products(ids[start : start + _MAX_IDS], deadline=wanted.deadline)
            living.update(product.id for product in found.products)
        kept = []
        for one in scored:
            about = tuple(product_id for product_id in one.product.about_product_ids if product_id in living)
            if about or not one.product.about_product_ids:
                kept.append(replace(one, product=replace(one.product, about_product_ids=about)))
        return kept


def _content(filter: ProductFilter) -> ProductFilter:
    return replace(filter, kinds=filter.kinds or CONTENT_KINDS)


def _about(wanted: Wanted, product_ids: Sequence[str]) -> Wanted | None:
    """The same for content about these products; None where the call's own filter leaves none of them."""
    asked = wanted.filter.about_product_ids
    about = tuple(one for one in product_ids if not asked or one in asked)[:_MAX_FILTER_IDS]
    return replace(wanted, filter=replace(wanted.filter, about_product_ids=about)) if about else None


def _filling(proposals: Sequence[Proposal], first: int) -> list[Recommendation]:
    """What was written last, from place `first` on, with so few points that it stands behind all else."""
    filling = []
    for rank, one in enumerate(proposals, start=first + 1):
        points = _FILL_SCORE / (1.0 + rank / HALF_PLACE)
        filling.append(
            Recommendation(one.product, points, (Reason(Source.NEWEST, points, features={"rank": float(rank)}),))
        )
    return filling
