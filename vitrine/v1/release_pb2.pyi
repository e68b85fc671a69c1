from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Release(_message.Message):
    __slots__ = ("name", "embedder_digest", "ranker_digest", "recommender_digest", "create_time", "gates")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RANKER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    name: str
    embedder_digest: str
    ranker_digest: str
    recommender_digest: str
    create_time: _timestamp_pb2.Timestamp
    gates: ReleaseGates
    def __init__(self, name: _Optional[str] = ..., embedder_digest: _Optional[str] = ..., ranker_digest: _Optional[str] = ..., recommender_digest: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., gates: _Optional[_Union[ReleaseGates, _Mapping]] = ...) -> None: ...

class ReleaseGates(_message.Message):
    __slots__ = ("time", "recall", "queries", "ndcg", "ndcg_serving", "difference_low", "faults")
    TIME_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    NDCG_FIELD_NUMBER: _ClassVar[int]
    NDCG_SERVING_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_LOW_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    recall: float
    queries: int
    ndcg: float
    ndcg_serving: float
    difference_low: float
    faults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., recall: _Optional[float] = ..., queries: _Optional[int] = ..., ndcg: _Optional[float] = ..., ndcg_serving: _Optional[float] = ..., difference_low: _Optional[float] = ..., faults: _Optional[_Iterable[str]] = ...) -> None: ...

class Generation(_message.Message):
    __slots__ = ("model_digest", "dim", "vectors", "missing", "searchable")
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    SEARCHABLE_FIELD_NUMBER: _ClassVar[int]
    model_digest: str
    dim: int
    vectors: int
    missing: int
    searchable: bool
    def __init__(self, model_digest: _Optional[str] = ..., dim: _Optional[int] = ..., vectors: _Optional[int] = ..., missing: _Optional[int] = ..., searchable: bool = ...) -> None: ...
