"""Sorted searches: what matches by price, age or popularity, paged to its end by a cursor of the retriever."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from gateway.notes import Notes
from gateway.page_token import query_fingerprint
from gateway.recommendation.popular import PopularProducts
from gateway.search import Degradation, SearchAnswer, SearchHit, SearchQuery
from gateway.text_retrieval import TextRetrieval
from gateway.token_frame import damaged, foreign, framed, unframed
from vitrine.deadline import Deadline
from vitrine.errors import Internal, InvalidArgument
from vitrine.ports import Retrieval, RetrievalQuery, Retriever, Shortfall

_VERSION = 1


@dataclass(frozen=True, slots=True)
class SortedPage:
    """Where the next page of a sorted list starts, and what every page tells; `first_ids` are the popular ones."""

    cursor: str = ""
    position: int = 1
    total_size: int | None = None
    first_ids: Sequence[str] = ()
    attribution_token: str = ""

    def encoded(self, fingerprint: bytes) -> str:
        """As a token for the caller to hand back."""
        return framed(json.dumps([_VERSION, fingerprint.hex(), asdict(self)]).encode())


def page_of(token: str, fingerprint: bytes) -> SortedPage:
    """The page of a token. Raises InvalidArgument when it is damaged, or belongs to another search."""
    try:
        version, owner, fields = json.loads(unframed(token)[0])
        page = SortedPage(**fields)
    except (ValueError, TypeError) as error:
        # A token of a list by relevance is whole, but not JSON.
        raise foreign() from error
    if version != _VERSION:
        raise damaged()
    if owner != fingerprint.hex():
        raise foreign()
    return page


class SortedSearch:
    """Answers pages of sorted lists: no ranker and no taste has a say in them."""

    def __init__(
        self, text_retrieval: TextRetrieval, retriever: Retriever, popular: PopularProducts, *, result_window: int
    ) -> None:
        """`result_window`: so many of the first by relevance match, whatever words they hold."""
        self._text_retrieval = text_retrieval
        self._retriever = retriever
        self._popular = popular
        self._result_window = result_window

    async def page(
        self, search: SearchQuery, text: str, attribution_token: str, notes: Notes, deadline: Deadline
    ) -> SearchAnswer:
        """Answers the page of the search's token, the first one without; `attribution_token` is for a first page."""
        fingerprint = query_fingerprint(text, search.filter, search.order_by)
        if search.page_token:
            page = page_of(search.page_token, fingerprint)
        else:
            first_ids = await self._most_popular(notes, deadline) if search.order_by == "popularity" else ()
            page = SortedPage(first_ids=first_ids, attribution_token=attribution_token)
        found = await self._found(search, text, page, notes, deadline)
        hits = tuple(_hits(found, page.position))
        size = page.total_size if search.page_token else found.total_size
        following = ""
        if found.next_cursor:
            position = page.position + len(hits)
            rest = SortedPage(found.next_cursor, position, size, page.first_ids, page.attribution_token)
            following = rest.encoded(fingerprint)
        return SearchAnswer(
            hits=hits,
            next_page_token=following,
            shortfall=Shortfall.NO_MORE_MATCHES if len(hits) < search.page_size else None,
            degradations=tuple(notes.degradations),
            rank_depth=0,
            attribution_token=page.attribution_token,
            facets=found.facets,
            total_size=size,
            reading=None if search.page_token else found.reading,
        )

    async def _most_popular(self, notes: Notes, deadline: Deadline) -> Sequence[str]:
        popular, is_of_now = await self._popular.read(deadline=deadline)
        if not is_of_now:
            notes.degradations.append(Degradation.NO_POPULARITY)
        return list(popular.weights)

    async def _found(
        self, search: SearchQuery, text: str, page: SortedPage, notes: Notes, deadline: Deadline
    ) -> Retrieval:
        query = RetrievalQuery(
            text=text,
            filter=search.filter,
            depth=search.page_size,
            with_description=search.with_description,
            order_by="newest" if search.order_by == "popularity" else search.order_by,
            facets=() if search.page_token else search.facets,
            window=self._result_window,
            first_ids=tuple(page.first_ids),
            cursor=page.cursor,
        )
        try:
            if text:
                return await self._text_retrieval.retrieve(query, notes, deadline)
            with notes.timed("retrieve"):
                return await self._retriever.retrieve(query, deadline=deadline)
        except InvalidArgument as error:
            if any(violation.field == "cursor" for violation in error.violations):
                raise damaged() from error
            raise


def _hits(found: Retrieval, position: int) -> list[SearchHit]:
    hits = []
    for place, candidate in enumerate(found.candidates, start=position):
        if candidate.product is None:
            raise Internal(f"candidate {candidate.product_id} came without its product")
        hits.append(SearchHit(candidate.product, place, candidate.score, candidate.sources))
    return hits
