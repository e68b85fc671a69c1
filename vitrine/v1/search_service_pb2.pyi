from vitrine.v1 import common_pb2 as _common_pb2
from vitrine.v1 import product_pb2 as _product_pb2
from vitrine.v1 import ranker_service_pb2 as _ranker_service_pb2
from vitrine.v1 import recommendation_reason_pb2 as _recommendation_reason_pb2
from vitrine.v1 import retriever_service_pb2 as _retriever_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchRequest(_message.Message):
    __slots__ = ("query", "page_size", "page_token", "filter", "with_description", "rank_depth", "visitor_id", "personalize", "explain", "order_by", "facets", "highlight")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WITH_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RANK_DEPTH_FIELD_NUMBER: _ClassVar[int]
    VISITOR_ID_FIELD_NUMBER: _ClassVar[int]
    PERSONALIZE_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHT_FIELD_NUMBER: _ClassVar[int]
    query: str
    page_size: int
    page_token: str
    filter: _retriever_service_pb2.ProductFilter
    with_description: bool
    rank_depth: int
    visitor_id: str
    personalize: bool
    explain: bool
    order_by: str
    facets: _containers.RepeatedCompositeFieldContainer[_retriever_service_pb2.FacetSpec]
    highlight: bool
    def __init__(self, query: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[_retriever_service_pb2.ProductFilter, _Mapping]] = ..., with_description: bool = ..., rank_depth: _Optional[int] = ..., visitor_id: _Optional[str] = ..., personalize: bool = ..., explain: bool = ..., order_by: _Optional[str] = ..., facets: _Optional[_Iterable[_Union[_retriever_service_pb2.FacetSpec, _Mapping]]] = ..., highlight: bool = ...) -> None: ...

class SearchResult(_message.Message):
    __slots__ = ("product", "position", "retrieval_score", "sources", "rank_logit", "rank_score", "rank_probability", "personal_score", "reasons", "explanation", "highlights")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    RANK_LOGIT_FIELD_NUMBER: _ClassVar[int]
    RANK_SCORE_FIELD_NUMBER: _ClassVar[int]
    RANK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PERSONAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    product: _product_pb2.Product
    position: int
    retrieval_score: float
    sources: _containers.RepeatedCompositeFieldContainer[_retriever_service_pb2.SourceScore]
    rank_logit: float
    rank_score: float
    rank_probability: float
    personal_score: float
    reasons: _containers.RepeatedCompositeFieldContainer[_recommendation_reason_pb2.RecommendationReason]
    explanation: _ranker_service_pb2.Explanation
    highlights: _containers.RepeatedCompositeFieldContainer[_retriever_service_pb2.Highlight]
    def __init__(self, product: _Optional[_Union[_product_pb2.Product, _Mapping]] = ..., position: _Optional[int] = ..., retrieval_score: _Optional[float] = ..., sources: _Optional[_Iterable[_Union[_retriever_service_pb2.SourceScore, _Mapping]]] = ..., rank_logit: _Optional[float] = ..., rank_score: _Optional[float] = ..., rank_probability: _Optional[float] = ..., personal_score: _Optional[float] = ..., reasons: _Optional[_Iterable[_Union[_recommendation_reason_pb2.RecommendationReason, _Mapping]]] = ..., explanation: _Optional[_Union[_ranker_service_pb2.Explanation, _Mapping]] = ..., highlights: _Optional[_Iterable[_Union[_retriever_service_pb2.Highlight, _Mapping]]] = ...) -> None: ...

class StageTiming(_message.Message):
    __slots__ = ("stage", "duration_ms")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    duration_ms: float
    def __init__(self, stage: _Optional[str] = ..., duration_ms: _Optional[float] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("results", "next_page_token", "shortfall", "degradations", "timings", "cached", "rank_depth", "attribution_token", "query_tokens_dropped", "experiment_arms", "facets", "total_size", "reading")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    RANK_DEPTH_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_TOKENS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ARMS_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    READING_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SearchResult]
    next_page_token: str
    shortfall: _common_pb2.Shortfall
    degradations: _containers.RepeatedScalarFieldContainer[_common_pb2.Degradation]
    timings: _containers.RepeatedCompositeFieldContainer[StageTiming]
    cached: _containers.RepeatedScalarFieldContainer[str]
    rank_depth: int
    attribution_token: str
    query_tokens_dropped: int
    experiment_arms: _containers.RepeatedCompositeFieldContainer[_common_pb2.ExperimentArm]
    facets: _containers.RepeatedCompositeFieldContainer[_retriever_service_pb2.Facet]
    total_size: int
    reading: _retriever_service_pb2.QueryReading
    def __init__(self, results: _Optional[_Iterable[_Union[SearchResult, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., shortfall: _Optional[_Union[_common_pb2.Shortfall, str]] = ..., degradations: _Optional[_Iterable[_Union[_common_pb2.Degradation, str]]] = ..., timings: _Optional[_Iterable[_Union[StageTiming, _Mapping]]] = ..., cached: _Optional[_Iterable[str]] = ..., rank_depth: _Optional[int] = ..., attribution_token: _Optional[str] = ..., query_tokens_dropped: _Optional[int] = ..., experiment_arms: _Optional[_Iterable[_Union[_common_pb2.ExperimentArm, _Mapping]]] = ..., facets: _Optional[_Iterable[_Union[_retriever_service_pb2.Facet, _Mapping]]] = ..., total_size: _Optional[int] = ..., reading: _Optional[_Union[_retriever_service_pb2.QueryReading, _Mapping]] = ...) -> None: ...

class SuggestRequest(_message.Message):
    __slots__ = ("text", "limit", "language")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    text: str
    limit: int
    language: str
    def __init__(self, text: _Optional[str] = ..., limit: _Optional[int] = ..., language: _Optional[str] = ...) -> None: ...

class SuggestResponse(_message.Message):
    __slots__ = ("suggestions", "degradations")
    SUGGESTIONS_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    suggestions: _containers.RepeatedCompositeFieldContainer[_retriever_service_pb2.Suggestion]
    degradations: _containers.RepeatedScalarFieldContainer[_common_pb2.Degradation]
    def __init__(self, suggestions: _Optional[_Iterable[_Union[_retriever_service_pb2.Suggestion, _Mapping]]] = ..., degradations: _Optional[_Iterable[_Union[_common_pb2.Degradation, str]]] = ...) -> None: ...
