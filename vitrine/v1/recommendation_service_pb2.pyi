from vitrine.v1 import common_pb2 as _common_pb2
from vitrine.v1 import product_pb2 as _product_pb2
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

class RecommendationSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECOMMENDATION_SOURCE_UNSPECIFIED: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_TEXT_SIMILAR: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_HISTORY: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_SEARCHED: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_PROFILE: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_POPULAR_IN_CATEGORY: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_POPULAR: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_NEWEST: _ClassVar[RecommendationSource]
PLACEMENT_UNSPECIFIED: Placement
PLACEMENT_HOME: Placement
PLACEMENT_SIMILAR: Placement
PLACEMENT_COMPLEMENTARY: Placement
PLACEMENT_CART: Placement
PLACEMENT_ADS: Placement
PLACEMENT_CONTENT: Placement
RECOMMENDATION_SOURCE_UNSPECIFIED: RecommendationSource
RECOMMENDATION_SOURCE_TEXT_SIMILAR: RecommendationSource
RECOMMENDATION_SOURCE_HISTORY: RecommendationSource
RECOMMENDATION_SOURCE_SEARCHED: RecommendationSource
RECOMMENDATION_SOURCE_PROFILE: RecommendationSource
RECOMMENDATION_SOURCE_POPULAR_IN_CATEGORY: RecommendationSource
RECOMMENDATION_SOURCE_POPULAR: RecommendationSource
RECOMMENDATION_SOURCE_NEWEST: RecommendationSource

class RecommendRequest(_message.Message):
    __slots__ = ("placement", "visitor_id", "product_ids", "profile_text", "filter", "exclude_product_ids", "page_size", "explain", "include_seen")
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    VISITOR_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_TEXT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    placement: Placement
    visitor_id: str
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    profile_text: str
    filter: _retriever_service_pb2.ProductFilter
    exclude_product_ids: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    explain: bool
    include_seen: bool
    def __init__(self, placement: _Optional[_Union[Placement, str]] = ..., visitor_id: _Optional[str] = ..., product_ids: _Optional[_Iterable[str]] = ..., profile_text: _Optional[str] = ..., filter: _Optional[_Union[_retriever_service_pb2.ProductFilter, _Mapping]] = ..., exclude_product_ids: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., explain: bool = ..., include_seen: bool = ...) -> None: ...

class RecommendationFeature(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class RecommendationReason(_message.Message):
    __slots__ = ("source", "contribution", "product_ids", "text", "category", "features")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    source: RecommendationSource
    contribution: float
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    text: str
    category: str
    features: _containers.RepeatedCompositeFieldContainer[RecommendationFeature]
    def __init__(self, source: _Optional[_Union[RecommendationSource, str]] = ..., contribution: _Optional[float] = ..., product_ids: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., category: _Optional[str] = ..., features: _Optional[_Iterable[_Union[RecommendationFeature, _Mapping]]] = ...) -> None: ...

class RecommendationResult(_message.Message):
    __slots__ = ("product", "position", "score", "reasons")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    product: _product_pb2.Product
    position: int
    score: float
    reasons: _containers.RepeatedCompositeFieldContainer[RecommendationReason]
    def __init__(self, product: _Optional[_Union[_product_pb2.Product, _Mapping]] = ..., position: _Optional[int] = ..., score: _Optional[float] = ..., reasons: _Optional[_Iterable[_Union[RecommendationReason, _Mapping]]] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("results", "shortfall", "degradations", "attribution_token", "missing_product_ids", "timings")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MISSING_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RecommendationResult]
    shortfall: _common_pb2.Shortfall
    degradations: _containers.RepeatedScalarFieldContainer[_common_pb2.Degradation]
    attribution_token: str
    missing_product_ids: _containers.RepeatedScalarFieldContainer[str]
    timings: _containers.RepeatedCompositeFieldContainer[_search_service_pb2.StageTiming]
    def __init__(self, results: _Optional[_Iterable[_Union[RecommendationResult, _Mapping]]] = ..., shortfall: _Optional[_Union[_common_pb2.Shortfall, str]] = ..., degradations: _Optional[_Iterable[_Union[_common_pb2.Degradation, str]]] = ..., attribution_token: _Optional[str] = ..., missing_product_ids: _Optional[_Iterable[str]] = ..., timings: _Optional[_Iterable[_Union[_search_service_pb2.StageTiming, _Mapping]]] = ...) -> None: ...
