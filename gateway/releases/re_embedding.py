"""Re-embedding: products that a release's embedder has not seen, in the background's lane, to the store."""

import asyncio
from contextlib import suppress

from gateway.product_embeddings import embedded
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition
from vitrine.ports import Embedder
from vitrine.ports.release import Generation, ReleaseStore
from vitrine.product_text import embedding_text

# Few, so that a step gets something done however slow the machine and long the texts.
_PRODUCTS = 32
# The share of a call's time in which a step works, and how often it looks whether the index is made.
_SHARE = 0.8
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
        ends = Deadline.after(deadline.remaining_s() * _SHARE)
        with suppress(DeadlineExceeded):
            while await self._embed_some(model_digest, ends):
                pass
        while True:
            generation, recall = await self._store.build_generation(model_digest, deadline=deadline)
            if recall is not None or generation.missing or ends.remaining_s() <= 0:
                return generation, recall
            await asyncio.sleep(_LOOK_S)

    async def _embed_some(self, model_digest: str, ends: Deadline) -> bool:
        """Embeds the next products; False when there are none left."""
        ends.check("re-embedding")
        found = await self._store.list_unembedded(model_digest, _PRODUCTS, deadline=ends)
        if not found:
            return False
        texts = [embedding_text(product) for _, product in found]
        made = await embedded(self._embedder, texts, model_digest=model_digest, deadline=ends)
        for (_, product), item in zip(found, made.items, strict=True):
            if item.error is not None:
                raise FailedPrecondition(f"product {product.id} cannot be embedded: {item.error.message}")
        await self._store.write_vectors(model_digest, [row for row, _ in found], made.vectors, deadline=ends)
        return True
