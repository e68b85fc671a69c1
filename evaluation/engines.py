"""The suite's engines in this process, over a scratch catalogue that goes when the evaluation ends."""

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.rank_depth import RankDepth
from gateway.ranking import RankStage
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.ranker.engine import RankerEngine
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from training.kept_vectors import keep, read_kept
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import Internal, VitrineError
from vitrine.ports import InputType, Lane
from vitrine.product import Product
from vitrine.product_text import embedding_text
from vitrine.vectors import FloatArray

TIMEOUT_S = 600.0
_EMBED_TEXTS, _WRITE_PRODUCTS = 128, 500

# Told how many of how many are done, and of what.
Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Engines:
    """What answers a search, as it is served, with time enough that nothing is left out."""

    embedder: EmbedderEngine
    retriever: RetrieverEngine
    ranker: RankerEngine
    rank_stage: RankStage

    async def write(self, products: Sequence[Product], advance: Advance, keep_vectors: Path | None = None) -> None:
        """Embeds and writes a catalogue; with `keep_vectors` a folder where its vectors wait for the next time.

        Raises Internal when a product is refused, FailedPrecondition when kept vectors cannot be read or written.
        """
        vectors = await self.vectors(products, advance, keep_vectors)
        model = await self.embedder.get_model(deadline=Deadline.after(TIMEOUT_S))
        for start in range(0, len(products), _WRITE_PRODUCTS):
            part = slice(start, start + _WRITE_PRODUCTS)
            result = await self.retriever.upsert_products(
                products[part], vectors[part], model_digest=model.digest, deadline=Deadline.after(TIMEOUT_S)
            )
            for outcome in result.outcomes:
                if outcome.error is not None:
                    raise _refused(outcome.id, outcome.error)
            advance("write products", min(start + _WRITE_PRODUCTS, len(products)), len(products))

    async def vectors(self, products: Sequence[Product], advance: Advance, keep_vectors: Path | None) -> FloatArray:
        """The catalogue's vectors, made or kept; (n, dim) float32, L2-normalised."""
        texts = [embedding_text(product) for product in products]
        model = await self.embedder.get_model(deadline=Deadline.after(TIMEOUT_S))
        vectors = None if keep_vectors is None else read_kept(keep_vectors, model, texts)
        if vectors is None:
            vectors = await self._embed(texts, products, advance)
            if keep_vectors is not None:
                keep(keep_vectors, model, texts, vectors)
        return vectors

    async def _embed(self, texts: Sequence[str], products: Sequence[Product], advance: Advance) -> FloatArray:
        # In order of length: texts of one batch are padded to the longest, which cost a fifth of the time on Icecat.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors: FloatArray | None = None
        for start in range(0, len(order), _EMBED_TEXTS):
            rows = order[start : start + _EMBED_TEXTS]
            embeddings = await self.embedder.embed(
                [texts[row] for row in rows],
                input_type=InputType.DOCUMENT,
                deadline=Deadline.after(TIMEOUT_S),
                lane=Lane.BULK,
            )
            for row, item in zip(rows, embeddings.items, strict=True):
                if item.error is not None:
                    raise _refused(products[row].id, item.error)
            if vectors is None:
                vectors = np.zeros((len(texts), embeddings.vectors.shape[1]), dtype=np.float32)
            vectors[rows] = embeddings.vectors
            advance("embed products", start + len(rows), len(order))
        assert vectors is not None, "a judged shop has products"
        return vectors


def _refused(product_id: str, error: VitrineError) -> Internal:
    return Internal(f"product {product_id} was refused: {error}")


@asynccontextmanager
async def open_engines(embedder: Path, ranker: Path) -> AsyncIterator[Engines]:
    """The engines of two bundles and an empty catalogue, each self-tested. Other settings are the services' own."""
    budget = ComputeBudget()
    try:
        with tempfile.TemporaryDirectory(prefix="vitrine-evaluation-") as folder:
            embedder_engine = await EmbedderEngine.open(EmbedderSettings(bundle=embedder), budget)
            ranker_engine = await RankerEngine.open(RankerSettings(bundle=ranker), budget)
            await embedder_engine.self_test()
            await ranker_engine.self_test()
            retriever_engine = await RetrieverEngine.open(RetrieverSettings(data_dir=Path(folder)))
            stage = RankStage(ranker_engine, RankDepth(min_time_s=0), timeout_s=TIMEOUT_S, reserve_s=0)
            try:
                yield Engines(embedder_engine, retriever_engine, ranker_engine, stage)
            finally:
                await retriever_engine.close()
                await ranker_engine.close()
                await embedder_engine.close()
    finally:
        await budget.close()
