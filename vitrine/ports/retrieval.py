"""Searches of the retriever by words and vectors: queries and what they find."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NamedTuple

from vitrine.ports.facets import Facet, FacetSpec
from vitrine.ports.highlight import Highlight
from vitrine.ports.reading import QueryReading
from vitrine.product import Availability, Product, ProductKind
from vitrine.vectors import FloatArray

Source = Literal["dense", "lexical", "pin", "model_number"]


class Shortfall(Enum):
    """Why there are fewer results than asked for."""

    NO_MORE_MATCHES = "no_more_matches"
    WINDOW_END = "window_end"


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Conditions that every result meets; empty ones do not restrict, but that no kinds mean products alone.

    Fields are those of the proto.
    """

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    min_price: float | None = None
    max_price: float | None = None
    currency_code: str = ""
    availabilities: tuple[Availability, ...] = ()
    languages: tuple[str, ...] = ()
    kinds: tuple[ProductKind, ...] = ()
    about_product_ids: tuple[str, ...] = ()
    product_ids: tuple[str, ...] = ()
    expression: str = ""


@dataclass(frozen=True, slots=True)
class RetrievalQuery:
    """Words, a vector ((dim,) float32 with its model's digest), or both.

    Products come with their whole description on wish, else with its first 200 characters, for the ranker. The rest is
    as in RetrieveRequest: `order_by` is "" or "relevance", "price", "price desc" or "newest".
    """

    text: str = ""
    vector: FloatArray | None = None
    model_digest: str = ""
    filter: ProductFilter = ProductFilter()
    depth: int = 200
    product_limit: int | None = None
    with_description: bool = False
    order_by: str = ""
    facets: tuple[FacetSpec, ...] = ()
    with_total_size: bool = False
    window: int | None = None
    first_ids: tuple[str, ...] = ()
    cursor: str = ""
    highlight: bool = False
    with_pins: bool = False
    with_bare_rest: bool = False


class SourceScore(NamedTuple):
    """How one source found a product; rank 0: the score was filled in. A tuple, since each answer has some hundreds."""

    source: Source
    rank: int
    score: float


# Not frozen, which takes thrice as long to make, and each answer has some hundreds.
@dataclass(slots=True)
class Candidate:
    """A product found, its fused score (larger is better), and the sources that found it."""

    product_id: str
    score: float
    sources: tuple[SourceScore, ...]
    product: Product | None = None
    highlights: tuple[Highlight, ...] = ()


def best_bm25_of(candidates: Iterable[Candidate]) -> float:
    """The best BM25 of candidates that tell their sources; 0.0 where words found none."""
    return max((found.score for one in candidates for found in one.sources if found.source == "lexical"), default=0.0)


@dataclass(frozen=True, slots=True)
class BareCandidates:
    """Candidates of which no more is told than id and fused score, by columns: objects would cost more than finding."""

    product_ids: Sequence[str] = ()
    scores: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Candidates, best first or in the order asked for, no id twice; the last five as in the proto."""

    candidates: tuple[Candidate, ...]
    shortfall: Shortfall | None
    revision: int
    lexical_ms: float = 0.0
    dense_ms: float = 0.0
    reading: QueryReading = field(default_factory=QueryReading)
    facets: tuple[Facet, ...] = ()
    total_size: int | None = None
    next_cursor: str = ""
    version: str = ""
    best_bm25: float = 0.0
    rest: BareCandidates = BareCandidates()


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
    # By whose vectors they are near; "": the catalogue's own model's.
    model_digest: str = ""


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
