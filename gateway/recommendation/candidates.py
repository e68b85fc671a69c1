"""Candidate lists: each source asked for products that may be shown now; a further source is a further method."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.notes import Notes
from gateway.recommendation.blend import CandidateList, Proposal
from gateway.recommendation.popular import LIMIT, Counted, PopularProducts
from gateway.recommendation.profile_fit import lies_in
from gateway.recommendation.query import Profile, Source
from gateway.releases.current import current_release
from gateway.search import Degradation
from gateway.text_retrieval import TextRetrieval, text_scores
from vitrine.deadline import Deadline
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import Anchor, ProductFilter, RetrievalQuery, Retriever, Similar, SimilarQuery
from vitrine.product import Product
from vitrine.text import normalize_text

_MAX_DEPTH = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every candidate of a call meets, and how many each source is asked for."""

    filter: ProductFilter
    excluded: frozenset[str]
    depth: int
    deadline: Deadline
    # What the event store may take of the call's time, each time that it is asked.
    events_timeout_s: float


class Candidates:
    """The sources; every method raises what the retriever raises."""

    def __init__(self, text_retrieval: TextRetrieval, retriever: Retriever, popular: PopularProducts) -> None:
        self._text_retrieval = text_retrieval
        self._retriever = retriever
        self._popular = popular

    async def near(self, anchors: Sequence[Anchor], interests: int, wanted: Wanted) -> Similar:
        """What is near to the anchors, by interest; see `lists_of`."""
        query = SimilarQuery(
            tuple(anchors),
            interests,
            wanted.filter,
            tuple(sorted(wanted.excluded)),
            wanted.depth,
            current_release().embedder_digest,
        )
        return await self._retriever.retrieve_similar(query, deadline=wanted.deadline)

    async def by_text(
        self, source: Source, text: str, share: float, wanted: Wanted, notes: Notes, field: str
    ) -> CandidateList:
        """What answers a text. Raises InvalidArgument naming `field` where the embedder cannot take it."""
        depth = min(wanted.depth + len(wanted.excluded), _MAX_DEPTH)
        query = RetrievalQuery(text=normalize_text(text), filter=wanted.filter, depth=depth)
        try:
            retrieval = await self._text_retrieval.retrieve(query, notes, wanted.deadline)
        except InvalidArgument as error:
            named = (FieldViolation(field if v.field == "query" else v.field, v.description) for v in error.violations)
            raise InvalidArgument(*named) from error
        proposals = []
        for found in retrieval.candidates:
            if found.product is not None and found.product_id not in wanted.excluded:
                proposals.append(Proposal(found.product, features=text_scores(found)))
        return CandidateList(source, share, proposals[: wanted.depth], text=text)

    def kept(self, source: Source, *, category: str = "", country_code: str = "") -> Counted | None:
        """What `counted` gives, where nobody has to be asked for it; None where the event store has."""
        if source is Source.TRENDING:
            return self._popular.kept_trending()
        return self._popular.kept(category, country_code)

    async def counted(
        self, source: Source, wanted: Wanted, notes: Notes, *, category: str = "", country_code: str = ""
    ) -> Counted:
        """What visitors turn to now, the excluded too; noted when it is not of now."""
        # A store that was away a moment ago is not waited for again.
        is_away = {Degradation.NO_PERSONALISATION, Degradation.NO_POPULARITY} & set(notes.degradations)
        deadline = Deadline.after(0.0 if is_away else min(wanted.events_timeout_s, wanted.deadline.remaining_s()))
        if source is Source.TRENDING:
            counted, is_current = await self._popular.trending(deadline=deadline)
        else:
            counted, is_current = await self._popular.read(category, country_code, deadline=deadline)
        if not is_current and Degradation.NO_POPULARITY not in notes.degradations:
            notes.degradations.append(Degradation.NO_POPULARITY)
        return counted

    async def popular(
        self, source: Source, share: float, wanted: Wanted, notes: Notes, *, category: str = "", country_code: str = ""
    ) -> CandidateList:
        """What visitors turn to now, of all products, of a category path or of a country; or what is trending."""
        with notes.timed("popular"):
            weights = (await self.counted(source, wanted, notes, category=category, country_code=country_code)).weights
            products: Iterable[Product] = ()
            if ids := [product_id for product_id in weights if product_id not in wanted.excluded]:
                # Read now, so that what was deleted, sold out or moved to another category is out at once.
                found = await self._retriever.get_products(ids[:LIMIT], deadline=wanted.deadline, filter=wanted.filter)
                products = (one for one in found.products if not category or lies_in(one, category))
        proposals = [Proposal(product, features={"weight": weights[product.id]}) for product in products]
        return CandidateList(source, share, proposals[: wanted.depth], category=category)

    async def stated(self, profile: Profile, count: int, share: float, wanted: Wanted) -> CandidateList:
        """What meets all wishes of a profile, the latest first; nothing where none is stated."""
        products: Iterable[Product] = ()
        if profile != Profile():
            products = await self._retriever.list_newest_products(
                count,
                deadline=wanted.deadline,
                filter=_narrowed(wanted.filter, profile),
                excluded_ids=sorted(wanted.excluded),
            )
        return CandidateList(Source.NEWEST, share, [Proposal(product) for product in products])

    async def newest(self, count: int, share: float, excluded: Collection[str], wanted: Wanted) -> CandidateList:
        """What was written to the catalogue last."""
        products = await self._retriever.list_newest_products(
            count, deadline=wanted.deadline, filter=wanted.filter, excluded_ids=sorted({*wanted.excluded, *excluded})
        )
        return CandidateList(Source.NEWEST, share, [Proposal(product) for product in products])


def _narrowed(filter: ProductFilter, profile: Profile) -> ProductFilter:
    """The filter with the wishes as conditions where it has none itself."""
    tags = (part for tag in profile.languages for part in (tag.lower(), tag.lower().split("-")[0]))
    narrowed = replace(
        filter,
        categories=filter.categories or profile.categories,
        languages=filter.languages or tuple(dict.fromkeys(tags)),
    )
    if filter.min_price is not None or filter.max_price is not None or not profile.currency_code:
        return narrowed
    return replace(
        narrowed,
        min_price=profile.min_price,
        max_price=profile.max_price,
        currency_code=filter.currency_code or profile.currency_code,
    )


def lists_of(similar: Similar, source: Source, share: float) -> list[CandidateList]:
    """A list for each interest, `share` divided among them by theirs."""
    return [
        CandidateList(
            source,
            share * interest.share,
            [
                Proposal(
                    found.product,
                    tuple(dict.fromkeys((found.nearest_anchor_id, interest.anchor.id))),
                    {"cosine": found.cosine},
                )
                for found in interest.candidates
            ],
        )
        for interest in similar.interests
    ]
