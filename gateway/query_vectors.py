"""Query text to vector: from this process, from Redis, or from the embedder, each query once at a time."""

from collections import OrderedDict
from dataclasses import dataclass

from gateway.embedding_cache import CacheUnavailable, EmbeddingCache, VectorSpace
from gateway.metrics import QUERY_VECTORS
from gateway.single_flight import SingleFlight
from vitrine.deadline import Deadline
from vitrine.errors import InvalidArgument, invalid
from vitrine.ports import Embedder, InputType
from vitrine.vectors import FloatArray


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A (dim,) float32 vector, L2-normalised, the digest of the model that made it, and the tokens it had to cut."""

    vector: FloatArray
    model_digest: str
    tokens_dropped: int = 0


@dataclass(frozen=True, slots=True)
class Lookup:
    """What was kept of a query, if anything; `cache_missing`: Redis could not be asked."""

    found: QueryVector | None = None
    cache_missing: bool = False


class QueryVectors:
    """Vectors of normalised query texts, by the model that the embedder serves now."""

    def __init__(self, embedder: Embedder, cache: EmbeddingCache | None, *, kept: int, embed_timeout_s: float) -> None:
        """`kept` vectors stay in this process; a text is embedded within `embed_timeout_s`, whoever asked first."""
        self._embedder = embedder
        self._cache = cache
        self._limit = kept
        self._embed_timeout_s = embed_timeout_s
        self._kept: OrderedDict[tuple[str, str], FloatArray] = OrderedDict()
        self._flights: SingleFlight[str, QueryVector] = SingleFlight()
        self._space: VectorSpace | None = None

    async def lookup(self, text: str) -> Lookup:
        """The vector of a text that was embedded before, by the model in service."""
        space = self._space
        if space is None:
            return Lookup()
        if found := self._recalled(space, text):
            QUERY_VECTORS.labels("process").inc()
            return Lookup(found)
        if self._cache is None:
            return Lookup()
        try:
            (vector,) = await self._cache.read(space, [text])
        except CacheUnavailable:
            return Lookup(cache_missing=True)
        if vector is None:
            return Lookup()
        QUERY_VECTORS.labels("redis").inc()
        return Lookup(self._keep(space, text, vector))

    async def embed(self, text: str, *, deadline: Deadline) -> QueryVector:
        """The vector of a text, made once for all who ask for it at the same time.

        Raises what the embedder raises; InvalidArgument names the field "query".
        """
        return await self._flights.run(text, lambda: self._embedded(text), deadline=deadline)

    async def refresh_model(self, *, deadline: Deadline) -> str:
        """Asks the embedder for its model; returns the digest, which from now on is part of each key."""
        info = await self._embedder.get_model(deadline=deadline)
        self._space = VectorSpace(info.digest, info.dim)
        return info.digest

    async def check_cache(self) -> None:
        """Sees that Redis, where there is one, is there. Raises CacheUnavailable."""
        if self._cache is not None:
            await self._cache.check()

    async def drain(self) -> None:
        """Waits until the vectors under way to Redis are there."""
        if self._cache is not None:
            await self._cache.drain()

    async def close(self) -> None:
        """Closes the connections to Redis."""
        if self._cache is not None:
            await self._cache.close()

    async def _embedded(self, text: str) -> QueryVector:
        # Another run may have ended between this caller's lookup and now.
        if self._space is not None and (found := self._recalled(self._space, text)):
            return found
        deadline = Deadline.after(self._embed_timeout_s)
        embeddings = await self._embedder.embed([text], input_type=InputType.QUERY, deadline=deadline)
        if error := embeddings.items[0].error:
            if isinstance(error, InvalidArgument):
                raise invalid("query", "; ".join(v.description for v in error.violations)) from error
            raise error
        QUERY_VECTORS.labels("embedder").inc()
        # A copy: a row would keep the whole batch that it came in alive.
        vector = embeddings.vectors[0].copy()
        self._space = VectorSpace(embeddings.model_digest, vector.size)
        if dropped := embeddings.items[0].tokens_dropped:
            # Not kept, so that each of its searches says what was cut.
            return QueryVector(vector, embeddings.model_digest, dropped)
        if self._cache is not None:
            self._cache.write(self._space, text, vector)
        return self._keep(self._space, text, vector)

    def _recalled(self, space: VectorSpace, text: str) -> QueryVector | None:
        vector = self._kept.get((space.digest, text))
        if vector is None:
            return None
        self._kept.move_to_end((space.digest, text))
        return QueryVector(vector, space.digest)

    def _keep(self, space: VectorSpace, text: str, vector: FloatArray) -> QueryVector:
        self._kept[space.digest, text] = vector
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return QueryVector(vector, space.digest)
