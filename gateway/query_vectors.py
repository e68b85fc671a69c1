"""Query text to vector: from this process, from Redis, or from the embedder, each query once at a time."""

from collections import OrderedDict
from dataclasses import dataclass

from gateway.embedding_cache import CacheUnavailable, EmbeddingCache, VectorSpace
from gateway.metrics import QUERY_VECTORS, QUERY_VECTORS_KEPT
from gateway.releases.current import current_release
from gateway.single_flight import SingleFlight
from vitrine.deadline import Deadline
from vitrine.errors import InvalidArgument, invalid
from vitrine.ports import Embedder, InputType
from vitrine.served_models import served
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
    """Vectors of normalised query texts, by the embedder of the release that answers the call."""

    def __init__(
        self,
        embedder: Embedder,
        cache: EmbeddingCache | None,
        *,
        kept: int,
        embed_timeout_s: float,
        cache_is_own: bool = False,
    ) -> None:
        """`kept` vectors stay in this process; a text is embedded within `embed_timeout_s`, whoever asked first.

        A cache of our own holds nothing else until some of them had to go, and is not asked before.
        """
        self._embedder = embedder
        self._cache = cache
        self._cache_may_hold_more = not cache_is_own
        self._limit = kept
        self._embed_timeout_s = embed_timeout_s
        self._kept: OrderedDict[tuple[str, str], FloatArray] = OrderedDict()
        self._flights: SingleFlight[tuple[str, str], QueryVector] = SingleFlight()
        # By the digest that a release names, "" being the first model, whichever it is now.
        self._spaces: dict[str, VectorSpace] = {}

    async def lookup(self, text: str) -> Lookup:
        """The vector of a text that was embedded before, by the model in service."""
        space = self._spaces.get(current_release().embedder_digest)
        if space is None:
            return Lookup()
        if found := self._recalled(space, text):
            QUERY_VECTORS.labels("process").inc()
            return Lookup(found)
        # What only writes found away is asked all the same, or nobody would find that it is back.
        if self._cache is None or not (self._cache_may_hold_more or self._cache.breaker.is_open):
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
        named = current_release().embedder_digest
        return await self._flights.run((named, text), lambda: self._embedded(text, named), deadline=deadline)

    async def refresh_model(self, *, deadline: Deadline) -> str:
        """Asks the embedder for the release's model; returns the digest, which from now on is part of each key.

        Raises FailedPrecondition when the model is not served.
        """
        named = current_release().embedder_digest
        models = (await self._embedder.get_models(deadline=deadline)).models
        info = served({model.digest: model for model in models}, named, "VITRINE_EMBEDDER_FURTHER_BUNDLES")
        self._spaces[named] = VectorSpace(info.digest, info.dim)
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

    async def _embedded(self, text: str, named: str) -> QueryVector:
        # Another run may have ended between this caller's lookup and now.
        if (known := self._spaces.get(named)) is not None and (found := self._recalled(known, text)):
            return found
        deadline = Deadline.after(self._embed_timeout_s)
        embeddings = await self._embedder.embed(
            [text], input_type=InputType.QUERY, deadline=deadline, model_digest=named
        )
        if error := embeddings.items[0].error:
            if isinstance(error, InvalidArgument):
                raise invalid("query", "; ".join(v.description for v in error.violations)) from error
            raise error
        QUERY_VECTORS.labels("embedder").inc()
        # A copy: a row would keep the whole batch that it came in alive.
        vector = embeddings.vectors[0].copy()
        space = self._spaces[named] = VectorSpace(embeddings.model_digest, vector.size)
        if dropped := embeddings.items[0].tokens_dropped:
            # Not kept, so that each of its searches says what was cut.
            return QueryVector(vector, embeddings.model_digest, dropped)
        if self._cache is not None:
            self._cache.write(space, text, vector)
        return self._keep(space, text, vector)

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
            self._cache_may_hold_more = True
        QUERY_VECTORS_KEPT.set(len(self._kept))
        return QueryVector(vector, space.digest)
