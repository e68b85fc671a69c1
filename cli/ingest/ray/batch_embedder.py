"""A worker of the Ray job: the texts of each request to vectors, by the code that embeds them everywhere else."""

import asyncio
from typing import Any

from cli.ingest.ray.feed import COLUMN
from gateway.product_embeddings import embedded
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.messages.embedder import embeddings_to_message
from vitrine.messages.product import product_from_message
from vitrine.product_text import embedding_text
from vitrine.v1 import catalog_service_pb2

EMBEDDINGS = "embeddings"
# A batch on a slow machine; a worker that hangs is what this ends.
_BATCH_S = 600.0


class BatchEmbedder:
    """One embedder in a process of its own, on `threads` processors."""

    def __init__(self, settings: EmbedderSettings, threads: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._engine = self._loop.run_until_complete(EmbedderEngine.open(settings, ComputeBudget(threads)))

    def __call__(self, block: dict[str, Any]) -> dict[str, list[bytes]]:
        """Serialised requests to serialised embeddings; b"" of a request without products."""
        return {EMBEDDINGS: [self._embedded(bytes(request)) for request in block[COLUMN]]}

    def _embedded(self, data: bytes) -> bytes:
        request = catalog_service_pb2.CatalogServiceUpsertProductsRequest.FromString(data)
        texts = [embedding_text(product_from_message(message)) for message in request.products]
        if not texts:
            return b""
        made = embedded(self._engine, texts, model_digest="", deadline=Deadline.after(_BATCH_S))
        return embeddings_to_message(self._loop.run_until_complete(made)).SerializeToString()
