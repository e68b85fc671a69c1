"""A catalogue searched as it is served, for training: by the embedder's and the retriever's own engines.

So the candidates of a training list and their evidence are what the ranker gets from the gateway, not a likeness of it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from gateway.product_embeddings import embedded
from gateway.ranking import rank_candidates
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from training.errors import TrainingError
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.ports import Candidate, InputType, RetrievalQuery, best_bm25_of
from vitrine.product import Product
from vitrine.product_text import embedding_text

# As deep as a shopper can page, and as the retriever's sources look.
DEPTH = 1_000
_WRITE_PRODUCTS = 256
_TIMEOUT_S = 600.0


class CatalogueSearch:
    """A catalogue that is filled once and then searched."""

    def __init__(self, embedder: EmbedderEngine, retriever: RetrieverEngine) -> None:
        self._embedder = embedder
        self._retriever = retriever

    async def fill(self, products: Iterable[Product], advance: Callable[[int], None]) -> int:
        """Embed and write what is not there yet; answers how many products there are.

        `advance` is told how many more are done.

        Raises TrainingError when a product is refused.
        """
        for chunk in _chunks(products, _WRITE_PRODUCTS):
            stored = await self.products(list(dict.fromkeys(product.id for product in chunk)))
            new = [product for product in chunk if not _is_as(stored.get(product.id), product)]
            if not new:
                advance(len(chunk))
                continue
            texts = [embedding_text(product) for product in new]
            made = await embedded(self._embedder, texts, model_digest="", deadline=_later())
            for product, item in zip(new, made.items, strict=True):
                if item.error is not None:
                    raise TrainingError(f"product {product.id} was refused: {item.error}")
            written = await self._retriever.upsert_products(
                new, made.vectors, model_digest=made.model_digest, deadline=_later()
            )
            for outcome in written.outcomes:
                if outcome.error is not None:
                    raise TrainingError(f"product {outcome.id} was refused: {outcome.error}")
            advance(len(chunk))
        return (await self._retriever.get_index(deadline=_later())).products

    async def find(self, query: str) -> Sequence[Candidate]:
        """The first DEPTH candidates by words and vector, fused, best first, without their products."""
        embeddings = await self._embedder.embed([query], input_type=InputType.QUERY, deadline=_later())
        if (error := embeddings.items[0].error) is not None:
            raise TrainingError(f"query {query!r}: {error}")
        asked = RetrievalQuery(
            text=query,
            vector=embeddings.vectors[0],
            model_digest=embeddings.model_digest,
            depth=DEPTH,
            product_limit=0,
        )
        return (await self._retriever.retrieve(asked, deadline=_later())).candidates

    async def products(self, ids: Sequence[str]) -> dict[str, Product]:
        """Products by id, with the beginning of their description that a ranker reads."""
        found = (await self._retriever.get_products(ids, deadline=_later())).products
        return {product.id: product for product in found}


@dataclass(frozen=True, slots=True)
class Shown:
    """A candidate as the ranker is shown it: its text and the retriever's evidence."""

    id: str
    text: str
    dense: float
    lexical: float


def as_shown(found: Sequence[Candidate], chosen: Sequence[int], products: dict[str, Product]) -> list[Shown]:
    """The candidates at the places `chosen` as the ranker would be asked for them.

    Their evidence is relative to the query's best BM25, whoever has it.
    """
    head = [replace(found[place], product=products[found[place].product_id]) for place in chosen]
    return [
        Shown(one.id, one.text, one.evidence.dense, one.evidence.lexical)
        for one in rank_candidates(head, best_bm25_of(found))
        if one.evidence is not None
    ]


@asynccontextmanager
async def open_search(embedder: Path, folder: Path) -> AsyncIterator[CatalogueSearch]:
    """The engines over the catalogue in `folder`, which stays. Other settings are the services' own.

    Raises TrainingError when the bundle or the catalogue can't be used.
    """
    budget = ComputeBudget()
    try:
        engine = await EmbedderEngine.open(EmbedderSettings(bundle=embedder), budget)
        try:
            await engine.self_test()
            retriever = await RetrieverEngine.open(RetrieverSettings(data_dir=folder))
            try:
                yield CatalogueSearch(engine, retriever)
            finally:
                await retriever.close()
        finally:
            await engine.close()
    except VitrineError as error:
        raise TrainingError(f"{embedder}: {error}") from error
    except DatabaseError as error:
        raise TrainingError(f"cannot write the catalogue in {folder}: {error.orig}") from error
    finally:
        await budget.close()


def _is_as(stored: Product | None, product: Product) -> bool:
    """Whether the catalogue has the product already; of one that comes twice the last row counts."""
    return stored is not None and replace(stored, description="", revision=0, update_time=None) == replace(
        product, description="", update_time=None
    )


def _chunks(products: Iterable[Product], size: int) -> Iterator[list[Product]]:
    stream = iter(products)
    while chunk := list(islice(stream, size)):
        yield chunk


def _later() -> Deadline:
    return Deadline.after(_TIMEOUT_S)
