"""The ports that the gateway's pipeline sees: engines implement them, and so do their gRPC clients.

Every method raises the errors of `vitrine.errors`, and gives up by its deadline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.product import Availability, Product
from vitrine.user_event import EventType
from vitrine.vectors import FloatArray

Source = Literal["dense", "lexical"]


class Lane(Enum):
    """Which work goes first when both wait."""

    LIVE = "live"
    BULK = "bulk"


class InputType(Enum):
    """What a text is: the model has a prompt for each."""

    QUERY = "query"
    DOCUMENT = "document"


class Shortfall(Enum):
    """Why there are fewer results than asked for."""

    NO_MORE_MATCHES = "no_more_matches"
    WINDOW_END = "window_end"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a service's model is; fields are those of common.proto."""

    name: str
    version: str
    digest: str
    dim: int
    max_tokens: int
    languages: tuple[str, ...]
    runtime: str


@dataclass(frozen=True, slots=True)
class EmbeddedItem:
    """How one text went: its tokens, those cut, and the fault when it failed (its vector is then zeros)."""

    tokens: int = 0
    tokens_dropped: int = 0
    error: VitrineError | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """`vectors` (n, dim) float32, L2-normalised, and an item for each text, in order."""

    vectors: FloatArray
    items: tuple[EmbeddedItem, ...]
    model_digest: str
    prompt: str


class Embedder(Protocol):
    """Text to vector."""

    async def embed(
        self,
        texts: Sequence[str],
        *,
        input_type: InputType,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
        refuse_overflow: bool = False,
    ) -> Embeddings:
        """Embeds 1 to 256 texts; a bad one fails its item only."""
        ...

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the model that is served."""
        ...


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Conditions that every result meets; empty ones do not restrict. Fields are those of the proto."""

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    min_price: float | None = None
    max_price: float | None = None
    currency_code: str = ""
    availabilities: tuple[Availability, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetrievalQuery:
    """Words, a vector ((dim,) float32 with its model's digest), or both.

    Products come with their whole description on wish, else with its first 200 characters, for the ranker.
    """

    text: str = ""
    vector: FloatArray | None = None
    model_digest: str = ""
    filter: ProductFilter = ProductFilter()
    depth: int = 200
    product_limit: int | None = None
    with_description: bool = False


@dataclass(frozen=True, slots=True)
class SourceScore:
    """How one source found a product; rank 0: the score was filled in."""

    source: Source
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product found, its fused score (larger is better) and the sources that found it."""

    product_id: str
    score: float
    sources: tuple[SourceScore, ...]
    product: Product | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Candidates, best first, no id twice."""

    candidates: tuple[Candidate, ...]
    shortfall: Shortfall | None
    revision: int
    lexical_ms: float = 0.0
    dense_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Anchor:
    """A product that others shall be near to, and how much it counts beside the other anchors, > 0."""

    product_id: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SimilarQuery:
    """1 to 200 anchors, each once, divided into at most `max_interests`; `depth` candidates for each of these.

    Anchors are candidates unless `excluded_ids` names them.
    """

    anchors: tuple[Anchor, ...]
    max_interests: int = 1
    filter: ProductFilter = ProductFilter()
    excluded_ids: tuple[str, ...] = ()
    depth: int = 50


@dataclass(frozen=True, slots=True)
class SimilarCandidate:
    """A product near an interest: its cosine to the interest's anchor, and the nearest of the anchors alike."""

    product: Product
    cosine: float
    nearest_anchor_id: str


@dataclass(frozen=True, slots=True)
class Interest:
    """Anchors that are alike: the one that stands for them, their share of the weight, and what is near, best first."""

    anchor: Product
    share: float
    candidates: tuple[SimilarCandidate, ...]


@dataclass(frozen=True, slots=True)
class Similar:
    """Interests, largest share first, the shares adding up to 1; and the anchors that the catalogue does not hold."""

    interests: tuple[Interest, ...]
    missing_ids: tuple[str, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of one item of a batch; no error: durable and searchable."""

    id: str
    error: VitrineError | None = None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """An outcome for each item, in order, and the catalogue's revision after the write."""

    outcomes: tuple[ItemOutcome, ...]
    revision: int


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


class Retriever(Protocol):
    """Vector and words to candidates; keeper of the catalogue."""

    async def retrieve(self, query: RetrievalQuery, *, deadline: Deadline) -> Retrieval:
        """Finds candidates by words, by vector, or by both fused."""
        ...

    async def retrieve_similar(self, query: SimilarQuery, *, deadline: Deadline) -> Similar:
        """Finds products near given ones, by the vectors that the catalogue keeps of them."""
        ...

    async def list_newest_products(
        self, limit: int, *, deadline: Deadline, filter: ProductFilter, excluded_ids: Sequence[str] = ()
    ) -> tuple[Product, ...]:
        """Reads 1 to 1,000 products that match, those written last first."""
        ...

    async def upsert_products(
        self, products: Sequence[Product], vectors: FloatArray, *, model_digest: str, deadline: Deadline
    ) -> WriteResult:
        """Writes 1 to 500 products with their (n, dim) vectors; durable and searchable on return."""
        ...

    async def delete_products(self, ids: Sequence[str], *, deadline: Deadline) -> WriteResult:
        """Deletes 1 to 1,000 products; NotFound in the outcome of an unknown id."""
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

    async def get_index(self, *, deadline: Deadline) -> IndexInfo:
        """Describes the index that is served."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the retriever knew: cosine, and BM25 divided by the query's best BM25."""

    dense: float
    lexical: float


@dataclass(frozen=True, slots=True)
class RankCandidate:
    """A product to score by its ranking text; tokens are kept by (id, revision) when revision > 0."""

    id: str
    text: str
    revision: int = 0
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A scored candidate: raw logit, score (logit and evidence), calibrated probability in (0, 1)."""

    index: int
    id: str
    logit: float
    score: float
    probability: float
    query_tokens_dropped: int = 0
    text_tokens_dropped: int = 0


@dataclass(frozen=True, slots=True)
class RankFailure:
    """A candidate that could not be scored, and why."""

    index: int
    id: str
    error: VitrineError


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates by score, best first, ties by id; and those that failed."""

    ranked: tuple[RankedCandidate, ...]
    model_digest: str
    failures: tuple[RankFailure, ...] = field(default=())


class Ranker(Protocol):
    """Query and candidates to an order."""

    async def rank(
        self,
        query: str,
        candidates: Sequence[RankCandidate],
        *,
        deadline: Deadline,
        top_n: int | None = None,
        lane: Lane = Lane.LIVE,
    ) -> Ranking:
        """Scores 1 to 256 candidates; a bad one fails its item only."""
        ...

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the model that is served."""
        ...


@dataclass(frozen=True, slots=True)
class VisitorAction:
    """One entry of a visitor's history: a product acted upon, or a search, which has a query and no product."""

    event_type: EventType
    event_time: datetime
    product_id: str = ""
    query: str = ""


class VisitorHistory(Protocol):
    """What a visitor did lately; an event is in it as soon as it is acknowledged."""

    async def history(self, visitor_id: str, *, deadline: Deadline, limit: int = 200) -> tuple[VisitorAction, ...]:
        """The latest actions, newest first by event time; none for a visitor who is not known."""
        ...


@dataclass(frozen=True, slots=True)
class PopularProduct:
    """A product and its weight of now: one visitor's purchase today is 5, and halves with each half-life."""

    product_id: str
    weight: float


class Popularity(Protocol):
    """Which products visitors turn to, older events counting less, no visitor counting much."""

    async def popular(
        self, limit: int, *, deadline: Deadline, category: str = "", country_code: str = ""
    ) -> tuple[PopularProduct, ...]:
        """The heaviest products, ties by id: of all, of one category path or of one country (not of both at once)."""
        ...
