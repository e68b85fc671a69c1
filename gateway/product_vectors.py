"""Vectors of products' texts as the catalogue keeps them: by its own model, and by those of other releases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.product_embeddings import embedded
from gateway.releases.follower import Follower
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition
from vitrine.ports import Embedder, Embeddings
from vitrine.vectors import FloatArray

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProductVectors:
    """`own` of the catalogue's model, whose items tell what failed; `further` (n, dim) by other models' digests."""

    own: Embeddings
    further: dict[str, FloatArray]


class ProductEmbedder:
    """Embeds texts by every model of which the catalogue keeps vectors."""

    def __init__(self, embedder: Embedder, releases: Follower) -> None:
        self._embedder = embedder
        self._releases = releases

    async def embedded(self, texts: Sequence[str], deadline: Deadline) -> ProductVectors:
        """The texts' vectors; a text that one model fails on has failed.

        A model that is not served and does not serve is left out: its release says what it lacks. Raises what the
        embedder raises.
        """
        known = self._releases.known
        kept = [generation.model_digest for generation in known.record.generations]
        digest = kept[0] if kept else known.serving.embedder_digest
        own = await embedded(self._embedder, texts, model_digest=digest, deadline=deadline)
        further: dict[str, FloatArray] = {}
        for digest in kept[1:]:
            try:
                made = await embedded(self._embedder, texts, model_digest=digest, deadline=deadline)
            except FailedPrecondition as error:
                if digest == known.serving.embedder_digest:
                    raise
                log.warning("products written without the vectors of a release", error=error.message)
                continue
            further[digest] = made.vectors
            items = (one if one.error else other for one, other in zip(own.items, made.items, strict=True))
            own = replace(own, items=tuple(items))
        return ProductVectors(own, further)
