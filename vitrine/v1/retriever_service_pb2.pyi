from google.protobuf import timestamp_pb2 as _timestamp_pb2
from vitrine.v1 import common_pb2 as _common_pb2
from vitrine.v1 import product_pb2 as _product_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Relation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELATION_UNSPECIFIED: _ClassVar[Relation]
    RELATION_BEHAVIOUR: _ClassVar[Relation]
    RELATION_ALS: _ClassVar[Relation]
    RELATION_ITEM_ITEM: _ClassVar[Relation]
    RELATION_CO_PURCHASE: _ClassVar[Relation]
    RELATION_TEXT: _ClassVar[Relation]

class SuggestionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUGGESTION_KIND_UNSPECIFIED: _ClassVar[SuggestionKind]
    SUGGESTION_KIND_QUERY: _ClassVar[SuggestionKind]
    SUGGESTION_KIND_PRODUCT: _ClassVar[SuggestionKind]
    SUGGESTION_KIND_BRAND: _ClassVar[SuggestionKind]
    SUGGESTION_KIND_CATEGORY: _ClassVar[SuggestionKind]
RELATION_UNSPECIFIED: Relation
RELATION_BEHAVIOUR: Relation
RELATION_ALS: Relation
RELATION_ITEM_ITEM: Relation
RELATION_CO_PURCHASE: Relation
RELATION_TEXT: Relation
SUGGESTION_KIND_UNSPECIFIED: SuggestionKind
SUGGESTION_KIND_QUERY: SuggestionKind
SUGGESTION_KIND_PRODUCT: SuggestionKind
SUGGESTION_KIND_BRAND: SuggestionKind
SUGGESTION_KIND_CATEGORY: SuggestionKind

class ProductFilter(_message.Message):
    __slots__ = ("categories", "brands", "min_price", "max_price", "currency_code", "availabilities", "languages", "kinds", "about_product_ids", "product_ids", "expression")
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    BRANDS_FIELD_NUMBER: _ClassVar[int]
    MIN_PRICE_FIELD_NUMBER: _ClassVar[int]
    MAX_PRICE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITIES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    ABOUT_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedScalarFieldContainer[str]
    brands: _containers.RepeatedScalarFieldContainer[str]
    min_price: float
    max_price: float
    currency_code: str
    availabilities: _containers.RepeatedScalarFieldContainer[_product_pb2.Availability]
    languages: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[_product_pb2.ProductKind]
    about_product_ids: _containers.RepeatedScalarFieldContainer[str]
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    expression: str
    def __init__(self, categories: _Optional[_Iterable[str]] = ..., brands: _Optional[_Iterable[str]] = ..., min_price: _Optional[float] = ..., max_price: _Optional[float] = ..., currency_code: _Optional[str] = ..., availabilities: _Optional[_Iterable[_Union[_product_pb2.Availability, str]]] = ..., languages: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[_product_pb2.ProductKind, str]]] = ..., about_product_ids: _Optional[_Iterable[str]] = ..., product_ids: _Optional[_Iterable[str]] = ..., expression: _Optional[str] = ...) -> None: ...

class FacetSpec(_message.Message):
    __slots__ = ("key", "limit", "bounds", "ignore_own_filter")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    IGNORE_OWN_FILTER_FIELD_NUMBER: _ClassVar[int]
    key: str
    limit: int
    bounds: _containers.RepeatedScalarFieldContainer[float]
    ignore_own_filter: bool
    def __init__(self, key: _Optional[str] = ..., limit: _Optional[int] = ..., bounds: _Optional[_Iterable[float]] = ..., ignore_own_filter: bool = ...) -> None: ...

class FacetValue(_message.Message):
    __slots__ = ("value", "low", "high", "count")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    value: str
    low: float
    high: float
    count: int
    def __init__(self, value: _Optional[str] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., count: _Optional[int] = ...) -> None: ...

class Facet(_message.Message):
    __slots__ = ("key", "values", "min", "max")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    key: str
    values: _containers.RepeatedCompositeFieldContainer[FacetValue]
    min: float
    max: float
    def __init__(self, key: _Optional[str] = ..., values: _Optional[_Iterable[_Union[FacetValue, _Mapping]]] = ..., min: _Optional[float] = ..., max: _Optional[float] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Highlight(_message.Message):
    __slots__ = ("field", "text", "spans")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    field: str
    text: str
    spans: _containers.RepeatedCompositeFieldContainer[Span]
    def __init__(self, field: _Optional[str] = ..., text: _Optional[str] = ..., spans: _Optional[_Iterable[_Union[Span, _Mapping]]] = ...) -> None: ...

class QueryReading(_message.Message):
    __slots__ = ("corrected_query", "excluded_words", "words", "dense_weight", "model_text")
    CORRECTED_QUERY_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_WORDS_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    DENSE_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    MODEL_TEXT_FIELD_NUMBER: _ClassVar[int]
    corrected_query: str
    excluded_words: _containers.RepeatedScalarFieldContainer[str]
    words: _containers.RepeatedCompositeFieldContainer[WordReading]
    dense_weight: float
    model_text: str
    def __init__(self, corrected_query: _Optional[str] = ..., excluded_words: _Optional[_Iterable[str]] = ..., words: _Optional[_Iterable[_Union[WordReading, _Mapping]]] = ..., dense_weight: _Optional[float] = ..., model_text: _Optional[str] = ...) -> None: ...

class WordReading(_message.Message):
    __slots__ = ("word", "read_as", "why")
    WORD_FIELD_NUMBER: _ClassVar[int]
    READ_AS_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    word: str
    read_as: _containers.RepeatedScalarFieldContainer[str]
    why: str
    def __init__(self, word: _Optional[str] = ..., read_as: _Optional[_Iterable[str]] = ..., why: _Optional[str] = ...) -> None: ...

class RetrieveRequest(_message.Message):
    __slots__ = ("text", "vector", "model_digest", "filter", "depth", "product_limit", "with_description", "order_by", "facets", "highlight", "with_total_size", "window", "first_ids", "cursor", "with_pins", "with_bare_rest")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WITH_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHT_FIELD_NUMBER: _ClassVar[int]
    WITH_TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    FIRST_IDS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    WITH_PINS_FIELD_NUMBER: _ClassVar[int]
    WITH_BARE_REST_FIELD_NUMBER: _ClassVar[int]
    text: str
    vector: _common_pb2.PackedVectors
    model_digest: str
    filter: ProductFilter
    depth: int
    product_limit: int
    with_description: bool
    order_by: str
    facets: _containers.RepeatedCompositeFieldContainer[FacetSpec]
    highlight: bool
    with_total_size: bool
    window: int
    first_ids: _containers.RepeatedScalarFieldContainer[str]
    cursor: str
    with_pins: bool
    with_bare_rest: bool
    def __init__(self, text: _Optional[str] = ..., vector: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ..., model_digest: _Optional[str] = ..., filter: _Optional[_Union[ProductFilter, _Mapping]] = ..., depth: _Optional[int] = ..., product_limit: _Optional[int] = ..., with_description: bool = ..., order_by: _Optional[str] = ..., facets: _Optional[_Iterable[_Union[FacetSpec, _Mapping]]] = ..., highlight: bool = ..., with_total_size: bool = ..., window: _Optional[int] = ..., first_ids: _Optional[_Iterable[str]] = ..., cursor: _Optional[str] = ..., with_pins: bool = ..., with_bare_rest: bool = ...) -> None: ...

class SourceScore(_message.Message):
    __slots__ = ("source", "rank", "score")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    source: str
    rank: int
    score: float
    def __init__(self, source: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("product_id", "score", "sources", "product", "highlights")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    score: float
    sources: _containers.RepeatedCompositeFieldContainer[SourceScore]
    product: _product_pb2.Product
    highlights: _containers.RepeatedCompositeFieldContainer[Highlight]
    def __init__(self, product_id: _Optional[str] = ..., score: _Optional[float] = ..., sources: _Optional[_Iterable[_Union[SourceScore, _Mapping]]] = ..., product: _Optional[_Union[_product_pb2.Product, _Mapping]] = ..., highlights: _Optional[_Iterable[_Union[Highlight, _Mapping]]] = ...) -> None: ...

class BareCandidates(_message.Message):
    __slots__ = ("product_ids", "scores")
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    scores: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, product_ids: _Optional[_Iterable[str]] = ..., scores: _Optional[_Iterable[float]] = ...) -> None: ...

class RetrieveResponse(_message.Message):
    __slots__ = ("candidates", "shortfall", "revision", "lexical_ms", "dense_ms", "facets", "total_size", "reading", "next_cursor", "version", "rest", "best_bm25")
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LEXICAL_MS_FIELD_NUMBER: _ClassVar[int]
    DENSE_MS_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    READING_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    BEST_BM25_FIELD_NUMBER: _ClassVar[int]
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    shortfall: _common_pb2.Shortfall
    revision: int
    lexical_ms: float
    dense_ms: float
    facets: _containers.RepeatedCompositeFieldContainer[Facet]
    total_size: int
    reading: QueryReading
    next_cursor: str
    version: str
    rest: BareCandidates
    best_bm25: float
    def __init__(self, candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., shortfall: _Optional[_Union[_common_pb2.Shortfall, str]] = ..., revision: _Optional[int] = ..., lexical_ms: _Optional[float] = ..., dense_ms: _Optional[float] = ..., facets: _Optional[_Iterable[_Union[Facet, _Mapping]]] = ..., total_size: _Optional[int] = ..., reading: _Optional[_Union[QueryReading, _Mapping]] = ..., next_cursor: _Optional[str] = ..., version: _Optional[str] = ..., rest: _Optional[_Union[BareCandidates, _Mapping]] = ..., best_bm25: _Optional[float] = ...) -> None: ...

class Anchor(_message.Message):
    __slots__ = ("product_id", "weight")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    weight: float
    def __init__(self, product_id: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class RetrieveSimilarRequest(_message.Message):
    __slots__ = ("anchors", "max_interests", "filter", "excluded_ids", "depth", "model_digest")
    ANCHORS_FIELD_NUMBER: _ClassVar[int]
    MAX_INTERESTS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_IDS_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    anchors: _containers.RepeatedCompositeFieldContainer[Anchor]
    max_interests: int
    filter: ProductFilter
    excluded_ids: _containers.RepeatedScalarFieldContainer[str]
    depth: int
    model_digest: str
    def __init__(self, anchors: _Optional[_Iterable[_Union[Anchor, _Mapping]]] = ..., max_interests: _Optional[int] = ..., filter: _Optional[_Union[ProductFilter, _Mapping]] = ..., excluded_ids: _Optional[_Iterable[str]] = ..., depth: _Optional[int] = ..., model_digest: _Optional[str] = ...) -> None: ...

class SimilarCandidate(_message.Message):
    __slots__ = ("product_id", "cosine", "nearest_anchor_id", "product")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    NEAREST_ANCHOR_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    cosine: float
    nearest_anchor_id: str
    product: _product_pb2.Product
    def __init__(self, product_id: _Optional[str] = ..., cosine: _Optional[float] = ..., nearest_anchor_id: _Optional[str] = ..., product: _Optional[_Union[_product_pb2.Product, _Mapping]] = ...) -> None: ...

class Interest(_message.Message):
    __slots__ = ("anchor", "share", "candidates")
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    anchor: _product_pb2.Product
    share: float
    candidates: _containers.RepeatedCompositeFieldContainer[SimilarCandidate]
    def __init__(self, anchor: _Optional[_Union[_product_pb2.Product, _Mapping]] = ..., share: _Optional[float] = ..., candidates: _Optional[_Iterable[_Union[SimilarCandidate, _Mapping]]] = ...) -> None: ...

class RetrieveSimilarResponse(_message.Message):
    __slots__ = ("interests", "missing_ids", "revision")
    INTERESTS_FIELD_NUMBER: _ClassVar[int]
    MISSING_IDS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    interests: _containers.RepeatedCompositeFieldContainer[Interest]
    missing_ids: _containers.RepeatedScalarFieldContainer[str]
    revision: int
    def __init__(self, interests: _Optional[_Iterable[_Union[Interest, _Mapping]]] = ..., missing_ids: _Optional[_Iterable[str]] = ..., revision: _Optional[int] = ...) -> None: ...

class RetrieveRelatedRequest(_message.Message):
    __slots__ = ("anchors", "history_vector", "recommender_digest", "relations", "scored_ids", "filter", "excluded_ids", "depth", "newest")
    ANCHORS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_VECTOR_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RELATIONS_FIELD_NUMBER: _ClassVar[int]
    SCORED_IDS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_IDS_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    anchors: _containers.RepeatedCompositeFieldContainer[Anchor]
    history_vector: _common_pb2.PackedVectors
    recommender_digest: str
    relations: _containers.RepeatedScalarFieldContainer[Relation]
    scored_ids: _containers.RepeatedScalarFieldContainer[str]
    filter: ProductFilter
    excluded_ids: _containers.RepeatedScalarFieldContainer[str]
    depth: int
    newest: int
    def __init__(self, anchors: _Optional[_Iterable[_Union[Anchor, _Mapping]]] = ..., history_vector: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ..., recommender_digest: _Optional[str] = ..., relations: _Optional[_Iterable[_Union[Relation, str]]] = ..., scored_ids: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[ProductFilter, _Mapping]] = ..., excluded_ids: _Optional[_Iterable[str]] = ..., depth: _Optional[int] = ..., newest: _Optional[int] = ...) -> None: ...

class RelationColumn(_message.Message):
    __slots__ = ("relation", "ranks", "scores", "anchors")
    RELATION_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    ANCHORS_FIELD_NUMBER: _ClassVar[int]
    relation: Relation
    ranks: _containers.RepeatedScalarFieldContainer[int]
    scores: _containers.RepeatedScalarFieldContainer[float]
    anchors: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, relation: _Optional[_Union[Relation, str]] = ..., ranks: _Optional[_Iterable[int]] = ..., scores: _Optional[_Iterable[float]] = ..., anchors: _Optional[_Iterable[int]] = ...) -> None: ...

class RetrieveRelatedResponse(_message.Message):
    __slots__ = ("products", "relations", "trained_events", "anchor_ids", "missing_ids", "recommender_digest", "revision")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    RELATIONS_FIELD_NUMBER: _ClassVar[int]
    TRAINED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_IDS_FIELD_NUMBER: _ClassVar[int]
    MISSING_IDS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[_product_pb2.Product]
    relations: _containers.RepeatedCompositeFieldContainer[RelationColumn]
    trained_events: _containers.RepeatedScalarFieldContainer[int]
    anchor_ids: _containers.RepeatedScalarFieldContainer[str]
    missing_ids: _containers.RepeatedScalarFieldContainer[str]
    recommender_digest: str
    revision: int
    def __init__(self, products: _Optional[_Iterable[_Union[_product_pb2.Product, _Mapping]]] = ..., relations: _Optional[_Iterable[_Union[RelationColumn, _Mapping]]] = ..., trained_events: _Optional[_Iterable[int]] = ..., anchor_ids: _Optional[_Iterable[str]] = ..., missing_ids: _Optional[_Iterable[str]] = ..., recommender_digest: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetBehaviourVectorsRequest(_message.Message):
    __slots__ = ("product_ids", "recommender_digest")
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    recommender_digest: str
    def __init__(self, product_ids: _Optional[_Iterable[str]] = ..., recommender_digest: _Optional[str] = ...) -> None: ...

class GetBehaviourVectorsResponse(_message.Message):
    __slots__ = ("product_ids", "vectors", "recommender_digest", "products")
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    vectors: _common_pb2.PackedVectors
    recommender_digest: str
    products: _containers.RepeatedCompositeFieldContainer[_product_pb2.Product]
    def __init__(self, product_ids: _Optional[_Iterable[str]] = ..., vectors: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ..., recommender_digest: _Optional[str] = ..., products: _Optional[_Iterable[_Union[_product_pb2.Product, _Mapping]]] = ...) -> None: ...

class ListNewestProductsRequest(_message.Message):
    __slots__ = ("filter", "excluded_ids", "limit")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_IDS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    filter: ProductFilter
    excluded_ids: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    def __init__(self, filter: _Optional[_Union[ProductFilter, _Mapping]] = ..., excluded_ids: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ...) -> None: ...

class ListNewestProductsResponse(_message.Message):
    __slots__ = ("products",)
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[_product_pb2.Product]
    def __init__(self, products: _Optional[_Iterable[_Union[_product_pb2.Product, _Mapping]]] = ...) -> None: ...

class ProductVector(_message.Message):
    __slots__ = ("product", "vector_index")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_INDEX_FIELD_NUMBER: _ClassVar[int]
    product: _product_pb2.Product
    vector_index: int
    def __init__(self, product: _Optional[_Union[_product_pb2.Product, _Mapping]] = ..., vector_index: _Optional[int] = ...) -> None: ...

class ModelVectors(_message.Message):
    __slots__ = ("model_digest", "vectors")
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    model_digest: str
    vectors: _common_pb2.PackedVectors
    def __init__(self, model_digest: _Optional[str] = ..., vectors: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ...) -> None: ...

class RetrieverServiceUpsertProductsRequest(_message.Message):
    __slots__ = ("products", "vectors", "model_digest", "further")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FURTHER_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[ProductVector]
    vectors: _common_pb2.PackedVectors
    model_digest: str
    further: _containers.RepeatedCompositeFieldContainer[ModelVectors]
    def __init__(self, products: _Optional[_Iterable[_Union[ProductVector, _Mapping]]] = ..., vectors: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ..., model_digest: _Optional[str] = ..., further: _Optional[_Iterable[_Union[ModelVectors, _Mapping]]] = ...) -> None: ...

class RetrieverServiceUpsertProductsResponse(_message.Message):
    __slots__ = ("outcomes", "revision")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[_common_pb2.ItemOutcome]
    revision: int
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_common_pb2.ItemOutcome, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class RetrieverServiceDeleteProductsRequest(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RetrieverServiceDeleteProductsResponse(_message.Message):
    __slots__ = ("outcomes", "revision")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[_common_pb2.ItemOutcome]
    revision: int
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_common_pb2.ItemOutcome, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class GetProductsRequest(_message.Message):
    __slots__ = ("ids", "with_description", "filter")
    IDS_FIELD_NUMBER: _ClassVar[int]
    WITH_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    with_description: bool
    filter: ProductFilter
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., with_description: bool = ..., filter: _Optional[_Union[ProductFilter, _Mapping]] = ...) -> None: ...

class GetProductsResponse(_message.Message):
    __slots__ = ("products", "missing_ids", "revision")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    MISSING_IDS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[_product_pb2.Product]
    missing_ids: _containers.RepeatedScalarFieldContainer[str]
    revision: int
    def __init__(self, products: _Optional[_Iterable[_Union[_product_pb2.Product, _Mapping]]] = ..., missing_ids: _Optional[_Iterable[str]] = ..., revision: _Optional[int] = ...) -> None: ...

class Suggestion(_message.Message):
    __slots__ = ("text", "kind", "product_id", "score", "spans", "mended")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    MENDED_FIELD_NUMBER: _ClassVar[int]
    text: str
    kind: SuggestionKind
    product_id: str
    score: float
    spans: _containers.RepeatedCompositeFieldContainer[Span]
    mended: bool
    def __init__(self, text: _Optional[str] = ..., kind: _Optional[_Union[SuggestionKind, str]] = ..., product_id: _Optional[str] = ..., score: _Optional[float] = ..., spans: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., mended: bool = ...) -> None: ...

class RetrieverServiceSuggestRequest(_message.Message):
    __slots__ = ("text", "limit", "language")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    text: str
    limit: int
    language: str
    def __init__(self, text: _Optional[str] = ..., limit: _Optional[int] = ..., language: _Optional[str] = ...) -> None: ...

class RetrieverServiceSuggestResponse(_message.Message):
    __slots__ = ("suggestions", "revision")
    SUGGESTIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    suggestions: _containers.RepeatedCompositeFieldContainer[Suggestion]
    revision: int
    def __init__(self, suggestions: _Optional[_Iterable[_Union[Suggestion, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("id", "price", "original_price", "currency_code", "availability", "keep_price")
    ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_PRICE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    KEEP_PRICE_FIELD_NUMBER: _ClassVar[int]
    id: str
    price: float
    original_price: float
    currency_code: str
    availability: _product_pb2.Availability
    keep_price: bool
    def __init__(self, id: _Optional[str] = ..., price: _Optional[float] = ..., original_price: _Optional[float] = ..., currency_code: _Optional[str] = ..., availability: _Optional[_Union[_product_pb2.Availability, str]] = ..., keep_price: bool = ...) -> None: ...

class RetrieverServiceUpdateOffersRequest(_message.Message):
    __slots__ = ("offers",)
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[Offer]
    def __init__(self, offers: _Optional[_Iterable[_Union[Offer, _Mapping]]] = ...) -> None: ...

class RetrieverServiceUpdateOffersResponse(_message.Message):
    __slots__ = ("outcomes", "revision")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[_common_pb2.ItemOutcome]
    revision: int
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_common_pb2.ItemOutcome, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class RetrieverServiceListProductDigestsRequest(_message.Message):
    __slots__ = ("page_token", "page_size")
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    page_token: str
    page_size: int
    def __init__(self, page_token: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ProductDigest(_message.Message):
    __slots__ = ("id", "digest")
    ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    digest: bytes
    def __init__(self, id: _Optional[str] = ..., digest: _Optional[bytes] = ...) -> None: ...

class RetrieverServiceListProductDigestsResponse(_message.Message):
    __slots__ = ("digests", "next_page_token")
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedCompositeFieldContainer[ProductDigest]
    next_page_token: str
    def __init__(self, digests: _Optional[_Iterable[_Union[ProductDigest, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetVersionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class GetIndexRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetIndexResponse(_message.Message):
    __slots__ = ("products", "revision", "model_digest", "dim", "kind", "tombstones", "update_time", "alerts", "recommender_digest", "storage", "memory_bytes", "recall", "recall_floor", "backend", "further_model_digests", "further_recommender_digests", "examined_share", "rescored", "cells", "graph_breadth")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    RECALL_FLOOR_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    FURTHER_MODEL_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    FURTHER_RECOMMENDER_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    EXAMINED_SHARE_FIELD_NUMBER: _ClassVar[int]
    RESCORED_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_BREADTH_FIELD_NUMBER: _ClassVar[int]
    products: int
    revision: int
    model_digest: str
    dim: int
    kind: str
    tombstones: int
    update_time: _timestamp_pb2.Timestamp
    alerts: _containers.RepeatedScalarFieldContainer[str]
    recommender_digest: str
    storage: str
    memory_bytes: int
    recall: float
    recall_floor: float
    backend: str
    further_model_digests: _containers.RepeatedScalarFieldContainer[str]
    further_recommender_digests: _containers.RepeatedScalarFieldContainer[str]
    examined_share: float
    rescored: int
    cells: int
    graph_breadth: float
    def __init__(self, products: _Optional[int] = ..., revision: _Optional[int] = ..., model_digest: _Optional[str] = ..., dim: _Optional[int] = ..., kind: _Optional[str] = ..., tombstones: _Optional[int] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., alerts: _Optional[_Iterable[str]] = ..., recommender_digest: _Optional[str] = ..., storage: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., recall: _Optional[float] = ..., recall_floor: _Optional[float] = ..., backend: _Optional[str] = ..., further_model_digests: _Optional[_Iterable[str]] = ..., further_recommender_digests: _Optional[_Iterable[str]] = ..., examined_share: _Optional[float] = ..., rescored: _Optional[int] = ..., cells: _Optional[int] = ..., graph_breadth: _Optional[float] = ...) -> None: ...
