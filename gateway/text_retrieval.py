"""Embed and retrieve: a text to candidates, by vector and words while the embedder is there, else by words."""

import asyncio
from dataclasses import replace

import structlog

from gateway.notes import Notes
from gateway.query_vectors import QueryVector, QueryVectors
from gateway.search import Degradation
from gateway.turns import Turns
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument
from vitrine.ports import Candidate, Retrieval, RetrievalQuery, Retriever

log = structlog.get_logger(__name__)

# What a query takes on its way to the embedder's model. In one process the search by words, begun at once, would take
# the interpreter from it; the model takes longer than that search and needs no interpreter.
_HEAD_START_S = 0.001


class TextRetrieval:
    """The first two stages of whatever begins with a text."""

    def __init__(self, vectors: QueryVectors, retriever: Retriever, turns: Turns) -> None:
        self._vectors = vectors
        self._retriever = retriever
        self._turns = turns

    async def retrieve(self, words: RetrievalQuery, notes: Notes, deadline: Deadline) -> Retrieval:
        """Candidates by words and vector; by words only, and noted, when there is no vector to be had.

        Where the retriever read the text as another (a slip mended, a word excluded), the vector is of that one.
        Raises what the retriever raises.
        """
        found = await self._retrieved(words, notes, deadline)
        if not found.reading.model_text or Degradation.LEXICAL_ONLY in notes.degradations:
            return found
        vector = await self._vector_of(found.reading.model_text, notes, deadline)
        if vector is None:
            return found
        with notes.timed("retrieve"):
            again = await self._retriever.retrieve(_with_vector(words, vector), deadline=deadline)
        # The reading is the first one's: where that was another index, the answer is of none.
        return again if again.version == found.version else replace(again, version="")

    async def _vector_of(self, text: str, notes: Notes, deadline: Deadline) -> QueryVector | None:
        return (await self._vectors.lookup(text)).found or await self._embedded(text, notes, deadline)

    async def _retrieved(self, words: RetrievalQuery, notes: Notes, deadline: Deadline) -> Retrieval:
        with notes.timed("embed"):
            lookup = await self._vectors.lookup(words.text)
        if lookup.cache_missing:
            notes.degradations.append(Degradation.NO_CACHE)
        if lookup.found is not None:
            notes.cached.append("query_embedding")
            return await self._retrieved_by_kept(words, lookup.found, notes, deadline)
        early = asyncio.create_task(self._lexical(words, notes, deadline))
        try:
            vector = await self._embedded(words.text, notes, deadline)
            if vector is None:
                await early  # the retriever keeps what it found by words: asking again costs it nothing
            with notes.timed("turn"):
                await self._turns.next()
            with notes.timed("retrieve"):
                return await self._retriever.retrieve(_with_vector(words, vector), deadline=deadline)
        finally:
            early.cancel()
            await asyncio.wait({early})
            if not early.cancelled():
                early.exception()  # what matters of it has been raised above

    async def _lexical(self, words: RetrievalQuery, notes: Notes, deadline: Deadline) -> None:
        """Searches and counts by words while the query is being embedded, so that the retriever has that part ready."""
        await asyncio.sleep(_HEAD_START_S)
        with notes.timed("lexical"):
            early = RetrievalQuery(
                words.text,
                filter=words.filter,
                depth=1,
                product_limit=0,
                # For facets all that match are read, and counted with it.
                with_total_size=words.with_total_size and not words.facets,
            )
            await self._retriever.retrieve(early, deadline=deadline)

    async def _embedded(self, text: str, notes: Notes, deadline: Deadline) -> QueryVector | None:
        with notes.timed("embed"):
            try:
                # Half of the time left is kept for the answer by words, should the embedder hang.
                vector = await self._vectors.embed(text, deadline=Deadline.after(deadline.remaining_s() / 2))
            except InvalidArgument:
                raise
            except Exception as error:  # Only the retriever's loss fails a search.
                log.warning("embedder away, searched by words", error=repr(error))
                notes.degradations.append(Degradation.LEXICAL_ONLY)
                return None
        notes.query_tokens_dropped = vector.tokens_dropped
        return vector

    async def _retrieved_by_kept(
        self, words: RetrievalQuery, kept: QueryVector, notes: Notes, deadline: Deadline
    ) -> Retrieval:
        with notes.timed("retrieve"):
            try:
                return await self._retriever.retrieve(_with_vector(words, kept), deadline=deadline)
            except FailedPrecondition:
                # Embedder and index may have moved on together since the vector was kept.
                served = await self._served_model(notes, deadline)
                if served == kept.model_digest:
                    raise
        notes.cached.clear()
        vector = None if served is None else await self._embedded(words.text, notes, deadline)
        with notes.timed("retrieve"):
            return await self._retriever.retrieve(_with_vector(words, vector), deadline=deadline)

    async def _served_model(self, notes: Notes, deadline: Deadline) -> str | None:
        """The digest of the embedder's model; None, and noted, when it is away."""
        try:
            return await self._vectors.refresh_model(deadline=Deadline.after(deadline.remaining_s() / 2))
        except Exception as error:  # Only the retriever's loss fails a search.
            log.warning("embedder away, searched by words", error=repr(error))
            notes.degradations.append(Degradation.LEXICAL_ONLY)
            return None


def _with_vector(words: RetrievalQuery, found: QueryVector | None) -> RetrievalQuery:
    return words if found is None else replace(words, vector=found.vector, model_digest=found.model_digest)


def text_scores(candidate: Candidate) -> dict[str, float]:
    """Its cosine and BM25, as far as it has them; a merchant's pin and a number that is met score nothing."""
    names = {"dense": "cosine", "lexical": "bm25"}
    return {names[one.source]: one.score for one in candidate.sources if one.source in names}
