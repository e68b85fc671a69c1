from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUERY_ORDER_UNSPECIFIED: _ClassVar[QueryOrder]
    QUERY_ORDER_SEARCHES: _ClassVar[QueryOrder]
    QUERY_ORDER_NO_RESULTS: _ClassVar[QueryOrder]
    QUERY_ORDER_NO_WORDS: _ClassVar[QueryOrder]
QUERY_ORDER_UNSPECIFIED: QueryOrder
QUERY_ORDER_SEARCHES: QueryOrder
QUERY_ORDER_NO_RESULTS: QueryOrder
QUERY_ORDER_NO_WORDS: QueryOrder

class GetOverviewRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Distribution(_message.Message):
    __slots__ = ("per_second", "mean", "p50", "p90", "p99", "bounds", "counts")
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    P50_FIELD_NUMBER: _ClassVar[int]
    P90_FIELD_NUMBER: _ClassVar[int]
    P99_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    per_second: float
    mean: float
    p50: float
    p90: float
    p99: float
    bounds: _containers.RepeatedScalarFieldContainer[float]
    counts: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, per_second: _Optional[float] = ..., mean: _Optional[float] = ..., p50: _Optional[float] = ..., p90: _Optional[float] = ..., p99: _Optional[float] = ..., bounds: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[float]] = ...) -> None: ...

class ProcessFigures(_message.Message):
    __slots__ = ("address", "servers", "well", "memory_bytes", "processors", "calls_in_flight", "start_time")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    WELL_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROCESSORS_FIELD_NUMBER: _ClassVar[int]
    CALLS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    address: str
    servers: _containers.RepeatedScalarFieldContainer[str]
    well: bool
    memory_bytes: float
    processors: float
    calls_in_flight: int
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, address: _Optional[str] = ..., servers: _Optional[_Iterable[str]] = ..., well: bool = ..., memory_bytes: _Optional[float] = ..., processors: _Optional[float] = ..., calls_in_flight: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SilentProcess(_message.Message):
    __slots__ = ("address", "reason")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    address: str
    reason: str
    def __init__(self, address: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CodeRate(_message.Message):
    __slots__ = ("code", "per_second")
    CODE_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    code: str
    per_second: float
    def __init__(self, code: _Optional[str] = ..., per_second: _Optional[float] = ...) -> None: ...

class MethodFigures(_message.Message):
    __slots__ = ("method", "per_second", "latency_s", "codes", "failed_share")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    FAILED_SHARE_FIELD_NUMBER: _ClassVar[int]
    method: str
    per_second: float
    latency_s: Distribution
    codes: _containers.RepeatedCompositeFieldContainer[CodeRate]
    failed_share: float
    def __init__(self, method: _Optional[str] = ..., per_second: _Optional[float] = ..., latency_s: _Optional[_Union[Distribution, _Mapping]] = ..., codes: _Optional[_Iterable[_Union[CodeRate, _Mapping]]] = ..., failed_share: _Optional[float] = ...) -> None: ...

class StageFigures(_message.Message):
    __slots__ = ("of", "stage", "latency_s")
    OF_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    of: str
    stage: str
    latency_s: Distribution
    def __init__(self, of: _Optional[str] = ..., stage: _Optional[str] = ..., latency_s: _Optional[_Union[Distribution, _Mapping]] = ...) -> None: ...

class DegradationFigures(_message.Message):
    __slots__ = ("of", "kind", "per_second", "total")
    OF_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    of: str
    kind: str
    per_second: float
    total: float
    def __init__(self, of: _Optional[str] = ..., kind: _Optional[str] = ..., per_second: _Optional[float] = ..., total: _Optional[float] = ...) -> None: ...

class ModelFigures(_message.Message):
    __slots__ = ("model", "batch_items", "run_s", "live_wait_s", "bulk_wait_s", "waiting_tokens")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BATCH_ITEMS_FIELD_NUMBER: _ClassVar[int]
    RUN_S_FIELD_NUMBER: _ClassVar[int]
    LIVE_WAIT_S_FIELD_NUMBER: _ClassVar[int]
    BULK_WAIT_S_FIELD_NUMBER: _ClassVar[int]
    WAITING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    model: str
    batch_items: Distribution
    run_s: Distribution
    live_wait_s: Distribution
    bulk_wait_s: Distribution
    waiting_tokens: float
    def __init__(self, model: _Optional[str] = ..., batch_items: _Optional[_Union[Distribution, _Mapping]] = ..., run_s: _Optional[_Union[Distribution, _Mapping]] = ..., live_wait_s: _Optional[_Union[Distribution, _Mapping]] = ..., bulk_wait_s: _Optional[_Union[Distribution, _Mapping]] = ..., waiting_tokens: _Optional[float] = ...) -> None: ...

class CacheFigures(_message.Message):
    __slots__ = ("cache", "tier", "per_second", "share")
    CACHE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    cache: str
    tier: str
    per_second: float
    share: float
    def __init__(self, cache: _Optional[str] = ..., tier: _Optional[str] = ..., per_second: _Optional[float] = ..., share: _Optional[float] = ...) -> None: ...

class IndexFigures(_message.Message):
    __slots__ = ("address", "products", "revision", "memory_bytes", "recall", "recall_floor", "alerts")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    RECALL_FLOOR_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    address: str
    products: int
    revision: int
    memory_bytes: float
    recall: float
    recall_floor: float
    alerts: int
    def __init__(self, address: _Optional[str] = ..., products: _Optional[int] = ..., revision: _Optional[int] = ..., memory_bytes: _Optional[float] = ..., recall: _Optional[float] = ..., recall_floor: _Optional[float] = ..., alerts: _Optional[int] = ...) -> None: ...

class GetOverviewResponse(_message.Message):
    __slots__ = ("time", "window_s", "processes", "silent", "methods", "stages", "degradations", "models", "caches", "redis_wait_s", "redis_left_alone", "indexes")
    TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    DEGRADATIONS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CACHES_FIELD_NUMBER: _ClassVar[int]
    REDIS_WAIT_S_FIELD_NUMBER: _ClassVar[int]
    REDIS_LEFT_ALONE_FIELD_NUMBER: _ClassVar[int]
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    window_s: float
    processes: _containers.RepeatedCompositeFieldContainer[ProcessFigures]
    silent: _containers.RepeatedCompositeFieldContainer[SilentProcess]
    methods: _containers.RepeatedCompositeFieldContainer[MethodFigures]
    stages: _containers.RepeatedCompositeFieldContainer[StageFigures]
    degradations: _containers.RepeatedCompositeFieldContainer[DegradationFigures]
    models: _containers.RepeatedCompositeFieldContainer[ModelFigures]
    caches: _containers.RepeatedCompositeFieldContainer[CacheFigures]
    redis_wait_s: Distribution
    redis_left_alone: bool
    indexes: _containers.RepeatedCompositeFieldContainer[IndexFigures]
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., window_s: _Optional[float] = ..., processes: _Optional[_Iterable[_Union[ProcessFigures, _Mapping]]] = ..., silent: _Optional[_Iterable[_Union[SilentProcess, _Mapping]]] = ..., methods: _Optional[_Iterable[_Union[MethodFigures, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[StageFigures, _Mapping]]] = ..., degradations: _Optional[_Iterable[_Union[DegradationFigures, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[ModelFigures, _Mapping]]] = ..., caches: _Optional[_Iterable[_Union[CacheFigures, _Mapping]]] = ..., redis_wait_s: _Optional[_Union[Distribution, _Mapping]] = ..., redis_left_alone: bool = ..., indexes: _Optional[_Iterable[_Union[IndexFigures, _Mapping]]] = ...) -> None: ...

class ListQueriesRequest(_message.Message):
    __slots__ = ("order_by", "limit")
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    order_by: QueryOrder
    limit: int
    def __init__(self, order_by: _Optional[_Union[QueryOrder, str]] = ..., limit: _Optional[int] = ...) -> None: ...

class QueryFigures(_message.Message):
    __slots__ = ("query", "searches", "no_results", "no_words")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    SEARCHES_FIELD_NUMBER: _ClassVar[int]
    NO_RESULTS_FIELD_NUMBER: _ClassVar[int]
    NO_WORDS_FIELD_NUMBER: _ClassVar[int]
    query: str
    searches: float
    no_results: float
    no_words: float
    def __init__(self, query: _Optional[str] = ..., searches: _Optional[float] = ..., no_results: _Optional[float] = ..., no_words: _Optional[float] = ...) -> None: ...

class ListQueriesResponse(_message.Message):
    __slots__ = ("queries",)
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    queries: _containers.RepeatedCompositeFieldContainer[QueryFigures]
    def __init__(self, queries: _Optional[_Iterable[_Union[QueryFigures, _Mapping]]] = ...) -> None: ...

class ListWorstRankedClicksRequest(_message.Message):
    __slots__ = ("events", "least_clicks", "limit")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    LEAST_CLICKS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    events: int
    least_clicks: int
    limit: int
    def __init__(self, events: _Optional[int] = ..., least_clicks: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class RankedClicks(_message.Message):
    __slots__ = ("query", "clicks", "mean_position", "worst_position", "worst_product_id")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CLICKS_FIELD_NUMBER: _ClassVar[int]
    MEAN_POSITION_FIELD_NUMBER: _ClassVar[int]
    WORST_POSITION_FIELD_NUMBER: _ClassVar[int]
    WORST_PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    query: str
    clicks: int
    mean_position: float
    worst_position: int
    worst_product_id: str
    def __init__(self, query: _Optional[str] = ..., clicks: _Optional[int] = ..., mean_position: _Optional[float] = ..., worst_position: _Optional[int] = ..., worst_product_id: _Optional[str] = ...) -> None: ...

class ListWorstRankedClicksResponse(_message.Message):
    __slots__ = ("queries", "events_read", "since")
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_READ_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    queries: _containers.RepeatedCompositeFieldContainer[RankedClicks]
    events_read: int
    since: _timestamp_pb2.Timestamp
    def __init__(self, queries: _Optional[_Iterable[_Union[RankedClicks, _Mapping]]] = ..., events_read: _Optional[int] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
