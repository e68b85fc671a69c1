"""The client of Vitrine's public API: `async with Client("127.0.0.1:50051") as client: …`; see docs/client.md.

Requests are keywords; answers, products and events are the messages of the contract (protos/vitrine/v1), by the same
names as in every other language. Errors are those of `vitrine.errors`.
"""

from vitrine.client.catalog import Upserted
from vitrine.client.client import Client
from vitrine.client.delivery import Patience
from vitrine.client.outcomes import Refused, refused
from vitrine.client.retries import Retries
from vitrine.client.visitor import Visitor
from vitrine.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    VitrineError,
)
from vitrine.tls import ClientTls, Identity
from vitrine.v1.ad_service_pb2 import Campaign, CampaignReport, SponsoredProduct
from vitrine.v1.product_pb2 import AttributeValues, Availability, Product, ProductKind
from vitrine.v1.recommendation_service_pb2 import Profile, RecommendationResult, RecommendResponse
from vitrine.v1.release_service_pb2 import JudgedQuery
from vitrine.v1.retriever_service_pb2 import FacetSpec, Offer, ProductFilter
from vitrine.v1.search_service_pb2 import SearchResponse, SearchResult, SuggestResponse
from vitrine.v1.user_event_pb2 import EventProduct, EventType, UserEvent

__all__ = [
    "AttributeValues",
    "Availability",
    "Campaign",
    "CampaignReport",
    "Client",
    "ClientTls",
    "DeadlineExceeded",
    "EventProduct",
    "EventType",
    "FacetSpec",
    "FailedPrecondition",
    "FieldViolation",
    "Identity",
    "Internal",
    "InvalidArgument",
    "JudgedQuery",
    "NotFound",
    "Offer",
    "Patience",
    "PermissionDenied",
    "Product",
    "ProductFilter",
    "ProductKind",
    "Profile",
    "RecommendResponse",
    "RecommendationResult",
    "Refused",
    "ResourceExhausted",
    "Retries",
    "SearchResponse",
    "SearchResult",
    "SponsoredProduct",
    "SuggestResponse",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Upserted",
    "UserEvent",
    "Visitor",
    "VitrineError",
    "refused",
]
