"""Highlighting: where the query's words are in the products of a page."""

from dataclasses import replace

from gateway.notes import Notes
from gateway.search import SearchAnswer
from vitrine.deadline import Deadline
from vitrine.ports import ProductFilter, RetrievalQuery, Retriever


class Highlighting:
    """Asks the retriever, which read the query, for the page's products alone: any page costs the same."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    async def highlighted(
        self, text: str, filter: ProductFilter, answer: SearchAnswer, notes: Notes, deadline: Deadline
    ) -> SearchAnswer:
        """The answer with highlights in those of its hits that hold a word. Raises what the retriever raises."""
        if not text or not answer.hits:
            return answer
        ids = tuple(hit.product.id for hit in answer.hits)
        query = RetrievalQuery(
            text=text,
            filter=ProductFilter(kinds=filter.kinds, product_ids=ids),
            depth=len(ids),
            highlight=True,
        )
        with notes.timed("highlight"):
            found = await self._retriever.retrieve(query, deadline=deadline)
        highlights = {candidate.product_id: candidate.highlights for candidate in found.candidates}
        return replace(
            answer, hits=tuple(replace(hit, highlights=highlights.get(hit.product.id, ())) for hit in answer.hits)
        )
