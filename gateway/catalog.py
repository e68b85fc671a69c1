"""The shop's products: checked, embedded in the bulk lane, and handed to the retriever, who keeps them."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.admission import Admission
from gateway.product_embeddings import at_field, embedded
from gateway.releases.follower import Follower
from vitrine.deadline import Deadline
from vitrine.errors import (
    InvalidArgument,
    NotFound,
    invalid,
)
from vitrine.ports import Embedder, ItemOutcome, Retriever, WriteResult
from vitrine.product import Product, checked_product, id_violation
from vitrine.product_text import embedding_text

MAX_UPSERT = 500
MAX_DELETE = 1_000


class Catalog:
    """Writes and reads products over the embedder's and the retriever's port."""

    def __init__(self, embedder: Embedder, retriever: Retriever, admission: Admission, releases: Follower) -> None:
        """Products are embedded by the release that serves."""
        self._embedder = embedder
        self._retriever = retriever
        self._admission = admission
        self._releases = releases

    async def upsert_products(self, items: Sequence[Product | ItemOutcome], *, deadline: Deadline) -> WriteResult:
        """Writes 1 to 500 products; an item that failed already (its outcome) keeps its place.

        An outcome without error: durable and searchable. A product that is wrong fails its item only, with the field
        by its path ("products[3].title"). Raises Unavailable when the embedder or the retriever is away: then nothing
        of `items` is acknowledged, and the same call may be made again.
        """
        if not 1 <= len(items) <= MAX_UPSERT:
            raise invalid("products", f"has {len(items)} entries; give 1 to {MAX_UPSERT} in one request")
        with self._admission.admit():
            outcomes: dict[int, ItemOutcome] = {}
            products: dict[int, Product] = {}
            for index, item in enumerate(items):
                checked = _checked(index, item)
                if isinstance(checked, Product):
                    products[index] = checked
                else:
                    outcomes[index] = checked
            if products:
                written = await self._written(products, deadline)
                revision = written.revision
                outcomes.update(zip(products, written.outcomes, strict=True))
            else:
                revision = (await self._retriever.get_index(deadline=deadline)).revision
            return WriteResult(tuple(outcomes[index] for index in range(len(items))), revision)

    async def delete_products(self, ids: Sequence[str], *, deadline: Deadline) -> WriteResult:
        """Deletes 1 to 1,000 products; NotFound in the outcome of an id that there is not."""
        if not 1 <= len(ids) <= MAX_DELETE:
            raise invalid("ids", f"has {len(ids)} entries; give 1 to {MAX_DELETE} in one request")
        return await self._retriever.delete_products(ids, deadline=deadline)

    async def get_product(self, product_id: str, *, deadline: Deadline) -> Product:
        """One product with its description. Raises NotFound."""
        if fault := id_violation(product_id):
            raise invalid("id", fault)
        found = await self._retriever.get_products([product_id], deadline=deadline, with_description=True)
        if not found.products:
            raise NotFound(f"there is no product {product_id!r}")
        return found.products[0]

    async def _written(self, products: dict[int, Product], deadline: Deadline) -> WriteResult:
        """An outcome for each of the products, by their index in the request, and the revision after the write."""
        texts = [embedding_text(product) for product in products.values()]
        model_digest = self._releases.serving.embedder_digest
        embeddings = await embedded(self._embedder, texts, model_digest=model_digest, deadline=deadline)
        outcomes = {
            index: ItemOutcome(product.id, at_field(item.error, f"products[{index}].title"))
            for (index, product), item in zip(products.items(), embeddings.items, strict=True)
            if item.error is not None
        }
        good = {index: product for index, product in products.items() if index not in outcomes}
        rows = [row for row, index in enumerate(products) if index in good]
        written = await self._retriever.upsert_products(
            list(good.values()), embeddings.vectors[rows], model_digest=embeddings.model_digest, deadline=deadline
        )
        outcomes.update(zip(good, written.outcomes, strict=True))
        return replace(written, outcomes=tuple(outcomes[index] for index in products))


def _checked(index: int, item: Product | ItemOutcome) -> Product | ItemOutcome:
    if isinstance(item, ItemOutcome):
        return item
    try:
        return checked_product(item)
    except InvalidArgument as error:
        return ItemOutcome(item.id, error.within(f"products[{index}]"))
