"""The suite's engines in this process, over a scratch catalogue that goes when the evaluation ends."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.admission import Admission
from gateway.catalog import Catalog
from gateway.rank_depth import RankDepth
from gateway.ranking import RankStage
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.ranker.engine import RankerEngine
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.product import Product

TIMEOUT_S = 600.0
_WRITE_PRODUCTS = 256

# Told how many of how many are done, and of what.
Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Engines:
    """What answers a search, as it is served, with time enough that nothing is left out."""

    embedder: EmbedderEngine
    retriever: RetrieverEngine
    ranker: RankerEngine
    rank_stage: RankStage

    async def write(self, products: tuple[Product, ...], advance: Advance) -> None:
        """Embeds and writes a catalogue. Raises Internal when a product is refused."""
        catalog = Catalog(self.embedder, self.retriever, Admission(1, "writes"))
        for start in range(0, len(products), _WRITE_PRODUCTS):
            chunk = products[start : start + _WRITE_PRODUCTS]
            result = await catalog.upsert_products(chunk, deadline=Deadline.after(TIMEOUT_S))
            for outcome in result.outcomes:
                if outcome.error is not None:
                    raise Internal(f"product {outcome.id} was refused: {outcome.error}")
            advance("embed and write", start + len(chunk), len(products))


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
