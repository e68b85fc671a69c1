"""The port of the retriever: vector, words and behaviour to candidates; the catalogue's writes and reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vitrine.deadline import Deadline
from vitrine.errors import invalid
from vitrine.offer import Offer
from vitrine.ports.related import BehaviourVectors, Related, RelatedQuery
from vitrine.ports.retrieval import ProductFilter, Retrieval, RetrievalQuery, Similar, SimilarQuery
from vitrine.ports.service import ItemOutcome
from vitrine.ports.suggest import Suggestions, SuggestQuery
from vitrine.product import Product
from vitrine.vectors import FloatArray


@dataclass(frozen=True, slots=True)
class WriteResult:
    """An outcome for each item, in order, and the catalogue's revision after the write."""

    outcomes: tuple[ItemOutcome, ...]
    revision: int


# In a vector index: the product keeps the vector of the version that it replaces.
KEEP_VECTOR = -1


def check_vector_index(vector_index: Sequence[int], products: int, vectors: int) -> None:
    """Raises InvalidArgument where it does not name a row of the vectors, or KEEP_VECTOR, for each product."""
    if len(vector_index) != products:
        raise invalid("vector_index", f"has {len(vector_index)} entries; name a row for each of {products} products")
    for number, row in enumerate(vector_index):
        if not KEEP_VECTOR <= row < vectors:
            raise invalid(f"products[{number}].vector_index", f"is {row} and vectors has {vectors} rows")


@dataclass(frozen=True, slots=True)
class DigestPage:
    """(id, content digest) of some products by id, and where the next ones begin; "" after the last."""

    digests: tuple[tuple[str, bytes], ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ProductsFound:
    """Products in the order asked, and the ids that were not found or did not match."""

    products: tuple[Product, ...]
    missing_ids: tuple[str, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """The index that is served; fields are those of GetIndexResponse."""

    products: int
    revision: int
    model_digest: str
    dim: int
    kind: str
    tombstones: int = 0
    update_time_s: float | None = None
    alerts: tuple[str, ...] = ()
    recommender_digest: str = ""
    further_model_digests: tuple[str, ...] = ()
    further_recommender_digests: tuple[str, ...] = ()
    storage: str = ""
    memory_bytes: int = 0
    recall: float | None = None
    recall_floor: float = 0.0
    backend: str = ""
    examined_share: float = 0.0
    rescored: int = 0
    cells: int = 0
    graph_breadth: float = 0.0

    @property
    def model_digests(self) -> tuple[str, ...]:
        """The models whose vectors can be searched; none while the catalogue is empty."""
        return (self.model_digest, *self.further_model_digests) if self.model_digest else ()

    @property
    def recommender_digests(self) -> tuple[str, ...]:
        """The recommenders that are served."""
        return (self.recommender_digest, *self.further_recommender_digests) if self.recommender_digest else ()


class Retriever(Protocol):
    """Vector, words and behaviour to candidates; keeper of the catalogue."""

    async def retrieve(self, query: RetrievalQuery, *, deadline: Deadline) -> Retrieval:
        """Finds candidates by words, by vector, or by both fused."""
        ...

    async def retrieve_similar(self, query: SimilarQuery, *, deadline: Deadline) -> Similar:
        """Finds products near given ones, by the vectors that the catalogue keeps of them."""
        ...

    async def retrieve_related(self, query: RelatedQuery, *, deadline: Deadline) -> Related:
        """Finds products by what visitors did: near a history's vector, and related to its products."""
        ...

    async def get_behaviour_vectors(
        self, ids: Sequence[str], *, deadline: Deadline, recommender_digest: str = ""
    ) -> BehaviourVectors:
        """Reads 1 to 200 products, each once, with their behaviour vectors by a recommender, "" being the first."""
        ...

    async def list_newest_products(
        self, limit: int, *, deadline: Deadline, filter: ProductFilter, excluded_ids: Sequence[str] = ()
    ) -> tuple[Product, ...]:
        """Reads 1 to 1,000 products that match, those written last first."""
        ...

    async def suggest(self, query: SuggestQuery, *, deadline: Deadline) -> Suggestions:
        """Completes what a shopper began to type, from titles, brands and categories."""
        ...

    async def upsert_products(
        self,
        products: Sequence[Product],
        vectors: FloatArray,
        *,
        model_digest: str,
        deadline: Deadline,
        vector_index: Sequence[int] | None = None,
        further: Mapping[str, FloatArray] | None = None,
    ) -> WriteResult:
        """Writes 1 to 500 products with their (n, dim) vectors; durable and searchable on return.

        `vector_index` names the row of each product's vector; unset: in order. With KEEP_VECTOR the product keeps the
        vector of the version that lives; FailedPrecondition TEXT_CHANGED in its outcome where that is of other words.
        """
        ...

    async def delete_products(self, ids: Sequence[str], *, deadline: Deadline) -> WriteResult:
        """Deletes 1 to 1,000 products; NotFound in the outcome of an unknown id."""
        ...

    async def update_offers(self, offers: Sequence[Offer], *, deadline: Deadline) -> WriteResult:
        """Changes price and availability of 1 to 1,000 products; NotFound in the outcome of an unknown id."""
        ...

    async def list_product_digests(self, page_token: str, page_size: int, *, deadline: Deadline) -> DigestPage:
        """Lists 1 to 10,000 products by id with the digests of their content; token "" for the first page."""
        ...

    async def get_products(
        self,
        ids: Sequence[str],
        *,
        deadline: Deadline,
        with_description: bool = False,
        filter: ProductFilter | None = None,
    ) -> ProductsFound:
        """Reads 1 to 1,000 products by id."""
        ...

    async def get_version(self, *, deadline: Deadline) -> str:
        """Names what searches depend on now: while it is the same, the same search finds the same; "" is not known.

        Up to the first dot it names the process that answered.
        """
        ...

    async def get_index(self, *, deadline: Deadline) -> IndexInfo:
        """Describes the index that is served."""
        ...
