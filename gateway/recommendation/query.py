"""A call for recommendations and its answer as plain data, and the rules that a call meets."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from gateway.search import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_QUERY_CHARACTERS, Degradation
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import ProductFilter, Shortfall
from vitrine.product import CONTENT_KINDS, Product
from vitrine.user_event import event_id_fault

MAX_ANCHORS = 100
MAX_EXCLUDED = 1_000
MAX_LANGUAGES = 10
MAX_CATEGORIES = 20
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")


class Placement(Enum):
    """Where the list stands; meanings are those of the proto."""

    HOME = "home"
    SIMILAR = "similar"
    COMPLEMENTARY = "complementary"
    CART = "cart"
    ADS = "ads"
    CONTENT = "content"


# Anchors that a placement takes.
_ANCHORS = {
    Placement.HOME: range(1),
    Placement.ADS: range(MAX_ANCHORS + 1),
    Placement.CONTENT: range(MAX_ANCHORS + 1),
}


class Source(Enum):
    """What proposed a product; meanings are those of the proto."""

    TEXT_SIMILAR = "text_similar"
    HISTORY = "history"
    SEARCHED = "searched"
    PROFILE = "profile"
    POPULAR_IN_CATEGORY = "popular_in_category"
    POPULAR = "popular"
    NEWEST = "newest"
    BEHAVIOUR = "behaviour"
    ALS = "als"
    ITEM_ITEM = "item_item"
    CO_PURCHASE = "co_purchase"
    TRENDING = "trending"
    POPULAR_IN_COUNTRY = "popular_in_country"
    ABOUT = "about"
    SPONSORED = "sponsored"
    PRICE_FIT = "price_fit"
    PROFILE_FIT = "profile_fit"
    FRESH = "fresh"
    AVAILABILITY = "availability"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a visitor stated, as wishes; fields and limits are those of the proto."""

    languages: tuple[str, ...] = ()
    min_price: float | None = None
    max_price: float | None = None
    currency_code: str = ""
    categories: tuple[str, ...] = ()


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
    profile: Profile = field(default_factory=Profile)
    country_code: str = ""
    query: str = ""


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
class Ad:
    """What makes a result an ad; fields and units are those of the proto."""

    campaign_id: str
    cost_per_click: float
    currency_code: str
    ad_token: str
    click_probability: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A product and why; the reasons' contributions, largest first, add up to the score."""

    product: Product
    score: float
    reasons: tuple[Reason, ...]
    ad: Ad | None = None


@dataclass(frozen=True, slots=True)
class RecommendAnswer:
    """Recommendations in their order, and how they came about; `timings_ms` is by stage, arms by experiment."""

    results: tuple[Recommendation, ...]
    shortfall: Shortfall | None
    degradations: tuple[Degradation, ...]
    attribution_token: str
    missing_product_ids: tuple[str, ...]
    timings_ms: dict[str, float]
    experiment_arms: Mapping[str, str] = field(default_factory=dict)


def check_query(query: RecommendQuery) -> None:
    """Raises InvalidArgument naming every wrong field."""
    if violations := list(_violations(query)):
        raise InvalidArgument(*violations)


def _violations(query: RecommendQuery) -> Iterator[FieldViolation]:
    if query.visitor_id and (fault := event_id_fault(query.visitor_id)):
        yield FieldViolation("visitor_id", fault)
    anchors, allowed = len(query.product_ids), _ANCHORS.get(query.placement, range(1, MAX_ANCHORS + 1))
    if query.placement is Placement.HOME and anchors:
        yield FieldViolation("product_ids", "is set; HOME takes none, ask for SIMILAR")
    elif anchors not in allowed:
        fault = f"has {anchors} entries; {query.placement.name} takes {allowed.start} to {MAX_ANCHORS}"
        yield FieldViolation("product_ids", fault)
    for index, kind in enumerate(query.filter.kinds):
        if (kind in CONTENT_KINDS) != (query.placement is Placement.CONTENT):
            fault = (
                "CONTENT recommends reviews and guides" if kind not in CONTENT_KINDS else "only CONTENT recommends it"
            )
            yield FieldViolation(f"filter.kinds[{index}]", f"is {kind.name}; {fault}")
    for name, ids in (("product_ids", query.product_ids), ("exclude_product_ids", query.exclude_product_ids)):
        if "" in ids:
            yield FieldViolation(f"{name}[{ids.index('')}]", "is empty")
    if len(query.exclude_product_ids) > MAX_EXCLUDED:
        fault = f"has {len(query.exclude_product_ids)} entries; at most {MAX_EXCLUDED:,} are allowed"
        yield FieldViolation("exclude_product_ids", fault)
    for name, text in (("profile_text", query.profile_text), ("query", query.query)):
        if len(text) > MAX_QUERY_CHARACTERS:
            fault = f"has {len(text)} characters; at most {MAX_QUERY_CHARACTERS} are allowed"
            yield FieldViolation(name, fault)
    yield from _profile_violations(query.profile)
    if query.country_code and not _COUNTRY.fullmatch(query.country_code):
        yield FieldViolation("country_code", f"{query.country_code!r} is not an ISO 3166-1 code such as 'CN'")
    if not 1 <= query.page_size <= MAX_PAGE_SIZE:
        yield FieldViolation("page_size", f"is {query.page_size}; give 1 to {MAX_PAGE_SIZE}")


def _profile_violations(profile: Profile) -> Iterator[FieldViolation]:
    for name, values, most in (
        ("languages", profile.languages, MAX_LANGUAGES),
        ("categories", profile.categories, MAX_CATEGORIES),
    ):
        if len(values) > most:
            yield FieldViolation(f"profile.{name}", f"has {len(values)} entries; at most {most} are allowed")
        if "" in values:
            yield FieldViolation(f"profile.{name}[{values.index('')}]", "is empty; remove it")
    prices = [price for price in (profile.min_price, profile.max_price) if price is not None]
    if any(price < 0 for price in prices):
        yield FieldViolation("profile.min_price", "or max_price is below 0; give prices that are paid")
    if len(prices) == 2 and prices[0] > prices[1]:
        yield FieldViolation("profile.min_price", "is above max_price; exchange them")
    if (prices or profile.currency_code) and not _CURRENCY.fullmatch(profile.currency_code):
        fault = f"{profile.currency_code!r} is not an ISO 4217 code such as 'CNY'; a price needs one"
        yield FieldViolation("profile.currency_code", fault)
