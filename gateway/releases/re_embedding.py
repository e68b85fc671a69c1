"""Re-embedding: products that a release's embedder has not seen, in the background's lane, to the store."""

import asyncio

from gateway.product_embeddings import embedded
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition
from vitrine.ports import Embedder
from vitrine.ports.release import Generation, ReleaseStore
from vitrine.product_text import embedding_text

_PRODUCTS = 128
# What a step leaves of a call's time for its answer, and how often it looks whether the index is made.
_RESERVE_S = 2.0
_LOOK_S = 0.1


class ReEmbedding:
    """Works in steps: what is left to do follows from the store, so any step may be the first after a crash."""

    def __init__(self, embedder: Embedder, store: ReleaseStore) -> None:
        self._embedder = embedder
        self._store = store

    async def step(self, model_digest: str, *, deadline: Deadline) -> tuple[Generation, float | None]:
        """Embeds, then builds, as far as there is time; with the index's recall@10 once nothing is left.

        Raises FailedPrecondition, naming the product, for a text that the model cannot embed.
        """
        while deadline.remaining_s() > _RESERVE_S:
            found = await self._store.list_unembedded(model_digest, _PRODUCTS, deadline=deadline)
            if not found:
                break
            texts = [embedding_text(product) for _, product in found]
            made = await embedded(self._embedder, texts, model_digest=model_digest, deadline=deadline)
            for (_, product), item in zip(found, made.items, strict=True):
                if item.error is not None:
                    raise FailedPrecondition(f"product {product.id} cannot be embedded: {item.error.message}")
            rows = [row for row, _ in found]
            await self._store.write_vectors(model_digest, rows, made.vectors, deadline=deadline)
        while True:
            generation, recall = await self._store.build_generation(model_digest, deadline=deadline)
            if recall is not None or generation.missing or deadline.remaining_s() < _RESERVE_S:
                return generation, recall
            await asyncio.sleep(_LOOK_S)
