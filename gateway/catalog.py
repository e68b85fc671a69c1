"""The shop's products: checked, embedded in the bulk lane, and handed to the retriever, who keeps them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gateway.admission import Admission
from gateway.product_embeddings import at_field
from gateway.product_vectors import ProductEmbedder
from gateway.releases.follower import Follower
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, NotFound, VitrineError, invalid
from vitrine.offer import Offer
from vitrine.ports import KEEP_VECTOR, DigestPage, Embedder, ItemOutcome, Retriever, WriteResult
from vitrine.product import Product, checked_product, id_violation
from vitrine.product_text import embedding_text
from vitrine.vectors import FloatArray

MAX_UPSERT = 500
MAX_DELETE = 1_000
MAX_OFFERS = 1_000
MAX_DIGESTS = 10_000
# Products read in one call: their attributes may be many, and a message is bounded.
_READ = 128


class Catalog:
    """Writes and reads products over the embedder's and the retriever's port."""

    def __init__(self, embedder: Embedder, retriever: Retriever, admission: Admission, releases: Follower) -> None:
        """Products are embedded by every model of which the catalogue keeps vectors."""
        self._embedder = ProductEmbedder(embedder, releases)
        self._retriever = retriever
        self._admission = admission

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

    async def update_offers(self, items: Sequence[Offer | ItemOutcome], *, deadline: Deadline) -> WriteResult:
        """Changes prices and availability of 1 to 1,000 products, whose vectors and words stay; an item that failed
        already keeps its place. NotFound in the outcome of an id that there is not."""
        if not 1 <= len(items) <= MAX_OFFERS:
            raise invalid("offers", f"has {len(items)} entries; give 1 to {MAX_OFFERS} in one request")
        offers = {index: item for index, item in enumerate(items) if isinstance(item, Offer)}
        outcomes = {index: item for index, item in enumerate(items) if isinstance(item, ItemOutcome)}
        if not offers:
            revision = (await self._retriever.get_index(deadline=deadline)).revision
        else:
            written = await self._retriever.update_offers(list(offers.values()), deadline=deadline)
            revision = written.revision
            for index, outcome in zip(offers, written.outcomes, strict=True):
                outcomes[index] = replace(outcome, error=_within(f"offers[{index}]", outcome.error))
        return WriteResult(tuple(outcomes[index] for index in range(len(items))), revision)

    async def list_product_digests(self, page_token: str, page_size: int, *, deadline: Deadline) -> DigestPage:
        """One page of 1 to 10,000 products by id, each with the digest of its content."""
        if not 1 <= page_size <= MAX_DIGESTS:
            raise invalid("page_size", f"is {page_size}; ask for 1 to {MAX_DIGESTS}")
        return await self._retriever.list_product_digests(page_token, page_size, deadline=deadline)

    async def _written(self, products: dict[int, Product], deadline: Deadline) -> WriteResult:
        """An outcome for each of the products, by their index in the request, and the revision after the write.

        Where a product's words stayed, so does its vector. Another write may change them meanwhile: the retriever sees
        it, and these products are embedded after all.
        """
        kept = await self._with_words_that_stayed(products, deadline)
        written = await self._sent(products, kept, deadline)
        outcomes = dict(zip(products, written.outcomes, strict=True))
        changed = {index: products[index] for index in kept if _is_of_other_words(outcomes[index].error)}
        if changed:
            written = await self._sent(changed, frozenset(), deadline)
            outcomes.update(zip(changed, written.outcomes, strict=True))
        return replace(written, outcomes=tuple(outcomes[index] for index in products))

    async def _with_words_that_stayed(self, products: dict[int, Product], deadline: Deadline) -> frozenset[int]:
        """Indices of the products that the catalogue has with the same text to embed."""
        ids = list(dict.fromkeys(product.id for product in products.values()))
        texts: dict[str, str] = {}
        for start in range(0, len(ids), _READ):
            # The beginning of a description is all of it that is embedded; of a longer one the text differs here, and
            # it is embedded anew.
            found = await self._retriever.get_products(ids[start : start + _READ], deadline=deadline)
            texts |= {product.id: embedding_text(product) for product in found.products}
        return frozenset(
            index for index, product in products.items() if texts.get(product.id) == embedding_text(product)
        )

    async def _sent(self, products: dict[int, Product], kept: frozenset[int], deadline: Deadline) -> WriteResult:
        """Writes products, those of `kept` without a vector of their own."""
        outcomes: dict[int, ItemOutcome] = {}
        model_digest, vectors = "", np.empty((0, 0), np.float32)
        further: dict[str, FloatArray] = {}
        rows = {index: KEEP_VECTOR for index in products if index in kept}
        if fresh := [index for index in products if index not in kept]:
            texts = [embedding_text(products[index]) for index in fresh]
            made = await self._embedder.embedded(texts, deadline)
            model_digest, vectors, further = made.own.model_digest, made.own.vectors, made.further
            for row, (index, item) in enumerate(zip(fresh, made.own.items, strict=True)):
                if item.error is None:
                    rows[index] = row
                else:
                    error = at_field(item.error, f"products[{index}].title")
                    outcomes[index] = ItemOutcome(products[index].id, error)
        if not rows or not model_digest:
            index_info = await self._retriever.get_index(deadline=deadline)
            if not rows:
                return WriteResult(tuple(outcomes[index] for index in products), index_info.revision)
            # All keep their vectors, which are of the model that the catalogue is of.
            model_digest = index_info.model_digest
        good = sorted(rows)
        written = await self._retriever.upsert_products(
            [products[index] for index in good],
            vectors,
            model_digest=model_digest,
            deadline=deadline,
            vector_index=[rows[index] for index in good],
            further=further,
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


def _is_of_other_words(error: VitrineError | None) -> bool:
    return isinstance(error, FailedPrecondition) and error.reason == "TEXT_CHANGED"


def _within(path: str, error: VitrineError | None) -> VitrineError | None:
    return error.within(path) if isinstance(error, InvalidArgument) else error
