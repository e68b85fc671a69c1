"""What can be asked of a search or of a recommendation, as keywords."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from vitrine.v1.recommendation_service_pb2 import Profile, RecommendRequest
from vitrine.v1.retriever_service_pb2 import FacetSpec, ProductFilter
from vitrine.v1.search_service_pb2 import SearchRequest

OrderBy = Literal["relevance", "price", "price desc", "newest", "popularity"]
PlacementName = Literal["home", "similar", "complementary", "cart", "ads", "content"]


class SearchOptions(TypedDict, total=False):
    """Keywords of a search; limits and defaults are those of SearchRequest."""

    # Results on a page, 1 to 100.
    page_size: int
    # Conditions that every result meets; words: an expression (`brand = "Sony" AND price < 300`).
    filter: ProductFilter | str
    order_by: OrderBy
    # Fields to count over what matches ("brand", "attributes.colour").
    facets: Sequence[FacetSpec | str]
    with_description: bool
    rank_depth: int
    personalize: bool
    explain: bool
    highlight: bool
    # The call's whole time.
    timeout_s: float | None


class RecommendOptions(TypedDict, total=False):
    """Keywords of a recommendation; limits and defaults are those of RecommendRequest."""

    # The anchors, or the cart.
    product_ids: Sequence[str]
    query: str
    profile_text: str
    profile: Profile
    filter: ProductFilter | str
    exclude_product_ids: Sequence[str]
    page_size: int
    explain: bool
    include_seen: bool
    country_code: str
    # The call's whole time.
    timeout_s: float | None


def search_request(query: str, page_token: str, visitor_id: str, options: SearchOptions) -> SearchRequest:
    """The message."""
    request = SearchRequest(
        query=query,
        page_token=page_token,
        visitor_id=visitor_id,
        page_size=options.get("page_size"),
        filter=_filter(options.get("filter")),
        order_by=options.get("order_by"),
        facets=[FacetSpec(key=one) if isinstance(one, str) else one for one in options.get("facets", ())],
        with_description=options.get("with_description", False),
        rank_depth=options.get("rank_depth"),
        explain=options.get("explain", False),
        highlight=options.get("highlight", False),
    )
    if (personalize := options.get("personalize")) is not None:
        request.personalize = personalize
    return request


def recommend_request(placement: PlacementName, visitor_id: str, options: RecommendOptions) -> RecommendRequest:
    """The message."""
    request = RecommendRequest(
        placement=f"PLACEMENT_{placement.upper()}",
        visitor_id=visitor_id,
        product_ids=options.get("product_ids", ()),
        query=options.get("query"),
        profile_text=options.get("profile_text"),
        profile=options.get("profile"),
        filter=_filter(options.get("filter")),
        exclude_product_ids=options.get("exclude_product_ids", ()),
        page_size=options.get("page_size"),
        explain=options.get("explain", False),
        country_code=options.get("country_code"),
    )
    if (include_seen := options.get("include_seen")) is not None:
        request.include_seen = include_seen
    return request


def _filter(given: ProductFilter | str | None) -> ProductFilter | None:
    return ProductFilter(expression=given) if isinstance(given, str) else given
