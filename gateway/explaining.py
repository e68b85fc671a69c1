"""Explaining: what each word of the query and of a result's ranking text did, for the first results of a page."""

import asyncio
from dataclasses import replace

import structlog

from gateway.notes import Notes
from gateway.pins import is_pinned
from gateway.releases.current import current_release
from gateway.search import Degradation, SearchAnswer, SearchHit
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.ports import ProductFilter, RankCandidate, Ranker, RetrievalQuery, Retriever
from vitrine.product_text import ranking_text

log = structlog.get_logger(__name__)

MAX_EXPLAINED = 10


class Explaining:
    """Asks the ranker for explanations; whatever is wrong with it, the results are there."""

    def __init__(self, ranker: Ranker, retriever: Retriever, *, reserve_s: float) -> None:
        """Leaves `reserve_s` of the caller's time for the answer."""
        self._ranker = ranker
        self._retriever = retriever
        self._reserve_s = reserve_s

    async def explained(self, query: str, answer: SearchAnswer, notes: Notes, deadline: Deadline) -> SearchAnswer:
        """The answer with explanations of its first 10 hits; noted in it where some have none.

        One hit after the other, so that those at the top have theirs when the time ends. `query` as the shopper typed
        it; where it was read as another text, spans are counted in that one, which is what the ranker saw.
        """
        ends = Deadline.after(max(0.0, deadline.remaining_s() - self._reserve_s))
        explained: list[SearchHit] = []
        with notes.timed("explain"):
            query = await self._model_text(query, answer, ends) or query
            for index, hit in enumerate(answer.hits[:MAX_EXPLAINED]):
                if is_pinned(hit.sources):
                    # A merchant's rule, and no model, put it there: its sources say so.
                    explained.append(hit)
                    continue
                if hit.rank is None:
                    break
                try:
                    explained.append(await self._explained(query, index, hit, ends))
                except Exception as error:  # Only the retriever's loss fails a search.
                    log.warning("ranker away or too slow, not explained", position=hit.position, error=repr(error))
                    break
        degradations = answer.degradations
        if len(explained) < min(len(answer.hits), MAX_EXPLAINED):
            degradations = (*degradations, Degradation.NOT_EXPLAINED)
        return replace(answer, hits=(*explained, *answer.hits[len(explained) :]), degradations=degradations)

    async def _model_text(self, query: str, answer: SearchAnswer, ends: Deadline) -> str:
        """What the models read instead of the query, "" if nothing; a page after the first has it read anew."""
        if answer.reading is not None:
            return answer.reading.model_text
        if not answer.hits:
            return ""
        ids = tuple(hit.product.id for hit in answer.hits[:1])
        words = RetrievalQuery(text=query, filter=ProductFilter(product_ids=ids), depth=1, product_limit=0)
        try:
            return (await self._retriever.retrieve(words, deadline=ends)).reading.model_text
        except VitrineError as error:
            log.warning("retriever away or too slow, explained as typed", error=repr(error))
            return ""

    async def _explained(self, query: str, index: int, hit: SearchHit, ends: Deadline) -> SearchHit:
        product = hit.product
        candidate = RankCandidate(product.id, ranking_text(product), product.revision)
        async with asyncio.timeout(ends.remaining_s()):
            found = await self._ranker.explain(
                query, [candidate], deadline=ends, model_digest=current_release().ranker_digest
            )
        (explanation,) = found.explanations
        return replace(hit, explanation=replace(explanation, index=index))
