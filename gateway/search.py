"""A search and its answer as plain data, and the rules that a search meets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import (
    Explanation,
    Facet,
    FacetSpec,
    Highlight,
    ProductFilter,
    QueryReading,
    Shortfall,
    SourceScore,
)
from vitrine.ports.release import Release
from vitrine.product import Product
from vitrine.text import normalize_text
from vitrine.user_event import event_id_fault

if TYPE_CHECKING:  # it has its limits from here
    from gateway.recommendation.query import Reason

MAX_QUERY_CHARACTERS = 512
DEFAULT_PAGE_SIZE = 10
MAX_PAGE_SIZE = 100
MAX_RANK_DEPTH = 200
ORDERS = ("relevance", "price", "price desc", "newest", "popularity")


class Degradation(Enum):
    """A part that was missing or was left out; meanings are those of common.proto."""

    LEXICAL_ONLY = "lexical_only"
    NOT_RANKED = "not_ranked"
    NO_CACHE = "no_cache"
    RANK_DEPTH_REDUCED = "rank_depth_reduced"
    NO_PERSONALISATION = "no_personalisation"
    NO_POPULARITY = "no_popularity"
    NO_RECOMMENDER = "no_recommender"
    NOT_EXPLAINED = "not_explained"


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a shopper asks; fields and limits are those of SearchRequest."""

    query: str
    page_size: int = DEFAULT_PAGE_SIZE
    page_token: str = ""
    filter: ProductFilter = field(default_factory=ProductFilter)
    with_description: bool = False
    rank_depth: int | None = None
    visitor_id: str = ""
    personalize: bool | None = None
    explain: bool = False
    order_by: str = ""
    facets: tuple[FacetSpec, ...] = ()
    highlight: bool = False

    @property
    def is_sorted(self) -> bool:
        """Whether another order than relevance is asked for."""
        return self.order_by not in ("", ORDERS[0])


@dataclass(frozen=True, slots=True)
class RankScores:
    """What the ranker said of a product: raw logit, score (the order), probability in (0, 1)."""

    logit: float
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class Personal:
    """What the visitor's taste adds to a probability of relevance, and why; the reasons add up to the score."""

    score: float = 0.0
    reasons: "tuple[Reason, ...]" = ()


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A product found. `rank` is None where the ranker did not look, `personal` where taste had no say, `explanation`
    and highlights are there where they were asked for.

    `sources` and reasons are empty on pages after the first.
    """

    product: Product
    position: int
    retrieval_score: float
    sources: tuple[SourceScore, ...] = ()
    rank: RankScores | None = None
    personal: Personal | None = None
    explanation: Explanation | None = None
    highlights: tuple[Highlight, ...] = ()


_FIRST = Release()


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """One page of hits, and how it came about; `timings_ms` is by stage name, `experiment_arms` by experiment.

    `total_size` is None where the backend does not tell it; facets and reading are those of the first page, and so are
    the release that answered and the version of the index that it searched, "" where that is not known.
    """

    hits: tuple[SearchHit, ...]
    next_page_token: str
    shortfall: Shortfall | None
    degradations: tuple[Degradation, ...]
    rank_depth: int
    attribution_token: str
    timings_ms: dict[str, float] = field(default_factory=dict)
    cached: tuple[str, ...] = ()
    query_tokens_dropped: int = 0
    experiment_arms: Mapping[str, str] = field(default_factory=dict)
    facets: tuple[Facet, ...] = ()
    total_size: int | None = None
    reading: QueryReading | None = None
    release: Release = _FIRST
    index_version: str = ""


def checked_query(search: SearchQuery) -> str:
    """The query's normalised text. Raises InvalidArgument naming every wrong field and the fix."""
    violations = []
    text = normalize_text(search.query)
    if len(search.query) > MAX_QUERY_CHARACTERS:
        fault = f"has {len(search.query)} characters; at most {MAX_QUERY_CHARACTERS} are allowed"
        violations.append(FieldViolation("query", fault))
    elif not text and not search.is_sorted:
        fault = "is empty; give the words to search for, or an order_by to list what the filter allows"
        violations.append(FieldViolation("query", fault))
    if search.order_by not in ("", *ORDERS):
        known = ", ".join(map(repr, ORDERS))
        violations.append(FieldViolation("order_by", f"{search.order_by!r} is not an order; use one of {known}"))
    elif search.is_sorted and search.explain:
        violations.append(FieldViolation("explain", "is set with an order_by; only an order by relevance is explained"))
    if not 1 <= search.page_size <= MAX_PAGE_SIZE:
        violations.append(FieldViolation("page_size", f"is {search.page_size}; give 1 to {MAX_PAGE_SIZE}"))
    if search.rank_depth is not None and not 0 <= search.rank_depth <= MAX_RANK_DEPTH:
        fault = f"is {search.rank_depth}; give 0 (no ranking) to {MAX_RANK_DEPTH}"
        violations.append(FieldViolation("rank_depth", fault))
    if search.visitor_id and (wrong := event_id_fault(search.visitor_id)):
        violations.append(FieldViolation("visitor_id", wrong))
    if violations:
        raise InvalidArgument(*violations)
    return text
