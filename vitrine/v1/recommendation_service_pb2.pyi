from vitrine.v1 import common_pb2 as _common_pb2
from vitrine.v1 import product_pb2 as _product_pb2
from vitrine.v1 import recommendation_reason_pb2 as _recommendation_reason_pb2
from vitrine.v1 import retriever_service_pb2 as _retriever_service_pb2
from vitrine.v1 import search_service_pb2 as _search_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Placement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLACEMENT_UNSPECIFIED: _ClassVar[Placement]
    PLACEMENT_HOME: _ClassVar[Placement]
    PLACEMENT_SIMILAR: _ClassVar[Placement]
    PLACEMENT_COMPLEMENTARY: _ClassVar[Placement]
    PLACEMENT_CART: _ClassVar[Placement]
    PLACEMENT_ADS: _ClassVar[Placement]
    PLACEMENT_CONTENT: _ClassVar[Placement]
PLACEMENT_UNSPECIFIED: Placement
PLACEMENT_HOME: Placement
PLACEMENT_SIMILAR: Placement
PLACEMENT_COMPLEMENTARY: Placement
PLACEMENT_CART: Placement
PLACEMENT_ADS: Placement
PLACEMENT_CONTENT: Placement

class Profile(_message.Message):
    __slots__ = ("languages", "min_price", "max_price", "currency_code", "categories")
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    MIN_PRICE_FIELD_NUMBER: _ClassVar[int]
    MAX_PRICE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    languages: _containers.RepeatedScalarFieldContainer[str]
    min_price: float
    max_price: float
    currency_code: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, languages: _Optional[_Iterable[str]] = ..., min_price: _Optional[float] = ..., max_price: _Optional[float] = ..., currency_code: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class RecommendRequest(_message.Message):
    __slots__ = ("placement", "visitor_id", "product_ids", "profile_text", "filter", "exclude_product_ids", "page_size", "explain", "include_seen", "profile", "country_code", "query")
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    VISITOR_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_TEXT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    placement: Placement
    visitor_id: str
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    profile_text: str
    filter: _retriever_service_pb2.ProductFilter
    exclude_product_ids: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    explain: bool
    include_seen: bool
    profile: Profile
    country_code: str
    query: str
    def __init__(self, placement: _Optional[_Union[Placement, str]] = ..., visitor_id: _Optional[str] = ..., product_ids: _Optional[_Iterable[str]] = ..., profile_text: _Optional[str] = ..., filter: _Optional[_Union[_retriever_service_pb2.ProductFilter, _Mapping]] = ..., exclude_product_ids: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., explain: bool = ..., include_seen: bool = ..., profile: _Optional[_Union[Profile, _Mapping]] = ..., country_code: _Optional[str] = ..., query: _Optional[str] = ...) -> None: ...

class Ad(_message.Message):
    __slots__ = ("campaign_id", "cost_per_click", "currency_code", "ad_token", "click_probability")
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    COST_PER_CLICK_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    AD_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    campaign_id: str
    cost_per_click: float
    currency_code: str
    ad_token: str
    click_probability: float
    def __init__(self, campaign_id: _Optional[str] = ..., cost_per_click: _Optional[float] = ..., currency_code: _Optional[str] = ..., ad_token: _Optional[str] = ..., click_probability: _Optional[float] = ...) -> None: ...

class RecommendationResult(_message.Message):
    __slots__ = ("product", "position", "score", "reasons", "ad")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    AD_FIELD_NUMBER: _ClassVar[int]
    product: _product_pb2.Product
    position: int
    score: float
    reasons: _containers.RepeatedCompositeFieldContainer[_recommendation_reason_pb2.RecommendationReason]
    ad: Ad
    def __init__(self, product: _Optional[_Union[_product_pb2.Product, _Mapping]] = ..., position: _Optional[int] = ..., score: _Optional[float] = ..., reasons: _Optional[_Iterable[_Union[_recommendation_reason_pb2.RecommendationReason, _Mapping]]] = ..., ad: _Optional[_Union[Ad, _Mapping]] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("results", "shortfall", "degradations", "attribution_token", "missing_product_ids", "timings", "experiment_arms")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MISSING_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ARMS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RecommendationResult]
    shortfall: _common_pb2.Shortfall
    degradations: _containers.RepeatedScalarFieldContainer[_common_pb2.Degradation]
    attribution_token: str
    missing_product_ids: _containers.RepeatedScalarFieldContainer[str]
    timings: _containers.RepeatedCompositeFieldContainer[_search_service_pb2.StageTiming]
    experiment_arms: _containers.RepeatedCompositeFieldContainer[_common_pb2.ExperimentArm]
    def __init__(self, results: _Optional[_Iterable[_Union[RecommendationResult, _Mapping]]] = ..., shortfall: _Optional[_Union[_common_pb2.Shortfall, str]] = ..., degradations: _Optional[_Iterable[_Union[_common_pb2.Degradation, str]]] = ..., attribution_token: _Optional[str] = ..., missing_product_ids: _Optional[_Iterable[str]] = ..., timings: _Optional[_Iterable[_Union[_search_service_pb2.StageTiming, _Mapping]]] = ..., experiment_arms: _Optional[_Iterable[_Union[_common_pb2.ExperimentArm, _Mapping]]] = ...) -> None: ...
