"""A call for recommendations and its answer as plain data, and the rules that a call meets."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from gateway.search import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_QUERY_CHARACTERS, Degradation
from vitrine.errors import FieldViolation, InvalidArgument, Unimplemented
from vitrine.ports import ProductFilter, Shortfall
from vitrine.product import Product
from vitrine.user_event import event_id_fault

MAX_ANCHORS = 100
MAX_EXCLUDED = 1_000


class Placement(Enum):
    """Where the list stands; meanings are those of the proto."""

    HOME = "home"
    SIMILAR = "similar"
    COMPLEMENTARY = "complementary"
    CART = "cart"
    ADS = "ads"
    CONTENT = "content"


SERVED = (Placement.HOME, Placement.SIMILAR)


class Source(Enum):
    """What proposed a product; meanings are those of the proto."""

    TEXT_SIMILAR = "text_similar"
    HISTORY = "history"
    SEARCHED = "searched"
    PROFILE = "profile"
    POPULAR_IN_CATEGORY = "popular_in_category"
    POPULAR = "popular"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class RecommendQuery:
    """A call; fields and limits are those of RecommendRequest. `include_seen` None: as the placement has it."""

    placement: Placement = Placement.HOME
    visitor_id: str = ""
    product_ids: tuple[str, ...] = ()
    profile_text: str = ""
    filter: ProductFilter = field(default_factory=ProductFilter)
    exclude_product_ids: tuple[str, ...] = ()
    page_size: int = DEFAULT_PAGE_SIZE
    include_seen: bool | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a product is recommended; `features` are the numbers that made the contribution."""

    source: Source
    contribution: float
    product_ids: tuple[str, ...] = ()
    text: str = ""
    category: str = ""
    features: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A product and why; the reasons' contributions, largest first, add up to the score."""

    product: Product
    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class RecommendAnswer:
    """Recommendations in their order, and how they came about; `timings_ms` is by stage name."""

    results: tuple[Recommendation, ...]
    shortfall: Shortfall | None
    degradations: tuple[Degradation, ...]
    attribution_token: str
    missing_product_ids: tuple[str, ...]
    timings_ms: dict[str, float]


def check_query(query: RecommendQuery) -> None:
    """Raises InvalidArgument naming every wrong field, Unimplemented for a placement that is not served."""
    if query.placement not in SERVED:
        served = " and ".join(placement.name for placement in SERVED)
        raise Unimplemented(f"placement {query.placement.name} is not served yet; {served} are")
    if violations := list(_violations(query)):
        raise InvalidArgument(*violations)


def _violations(query: RecommendQuery) -> Iterator[FieldViolation]:
    if query.visitor_id and (fault := event_id_fault(query.visitor_id)):
        yield FieldViolation("visitor_id", fault)
    anchors = len(query.product_ids)
    if query.placement is Placement.SIMILAR and not 1 <= anchors <= MAX_ANCHORS:
        yield FieldViolation("product_ids", f"has {anchors} entries; SIMILAR needs 1 to {MAX_ANCHORS}")
    if query.placement is Placement.HOME and anchors:
        yield FieldViolation("product_ids", "is set; HOME takes none, ask for SIMILAR")
    for name, ids in (("product_ids", query.product_ids), ("exclude_product_ids", query.exclude_product_ids)):
        if "" in ids:
            yield FieldViolation(f"{name}[{ids.index('')}]", "is empty")
    if len(query.exclude_product_ids) > MAX_EXCLUDED:
        fault = f"has {len(query.exclude_product_ids)} entries; at most {MAX_EXCLUDED:,} are allowed"
        yield FieldViolation("exclude_product_ids", fault)
    if len(query.profile_text) > MAX_QUERY_CHARACTERS:
        fault = f"has {len(query.profile_text)} characters; at most {MAX_QUERY_CHARACTERS} are allowed"
        yield FieldViolation("profile_text", fault)
    if not 1 <= query.page_size <= MAX_PAGE_SIZE:
        yield FieldViolation("page_size", f"is {query.page_size}; give 1 to {MAX_PAGE_SIZE}")
