from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Lane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LANE_UNSPECIFIED: _ClassVar[Lane]
    LANE_LIVE: _ClassVar[Lane]
    LANE_BULK: _ClassVar[Lane]

class VectorType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VECTOR_TYPE_UNSPECIFIED: _ClassVar[VectorType]
    VECTOR_TYPE_FLOAT32: _ClassVar[VectorType]
    VECTOR_TYPE_FLOAT16: _ClassVar[VectorType]

class Degradation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_UNSPECIFIED: _ClassVar[Degradation]
    DEGRADATION_LEXICAL_ONLY: _ClassVar[Degradation]
    DEGRADATION_NOT_RANKED: _ClassVar[Degradation]
    DEGRADATION_NO_CACHE: _ClassVar[Degradation]
    DEGRADATION_RANK_DEPTH_REDUCED: _ClassVar[Degradation]
    DEGRADATION_NO_PERSONALISATION: _ClassVar[Degradation]
    DEGRADATION_NO_POPULARITY: _ClassVar[Degradation]
    DEGRADATION_NO_RECOMMENDER: _ClassVar[Degradation]
    DEGRADATION_NOT_EXPLAINED: _ClassVar[Degradation]

class Shortfall(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHORTFALL_UNSPECIFIED: _ClassVar[Shortfall]
    SHORTFALL_NO_MORE_MATCHES: _ClassVar[Shortfall]
    SHORTFALL_WINDOW_END: _ClassVar[Shortfall]
LANE_UNSPECIFIED: Lane
LANE_LIVE: Lane
LANE_BULK: Lane
VECTOR_TYPE_UNSPECIFIED: VectorType
VECTOR_TYPE_FLOAT32: VectorType
VECTOR_TYPE_FLOAT16: VectorType
DEGRADATION_UNSPECIFIED: Degradation
DEGRADATION_LEXICAL_ONLY: Degradation
DEGRADATION_NOT_RANKED: Degradation
DEGRADATION_NO_CACHE: Degradation
DEGRADATION_RANK_DEPTH_REDUCED: Degradation
DEGRADATION_NO_PERSONALISATION: Degradation
DEGRADATION_NO_POPULARITY: Degradation
DEGRADATION_NO_RECOMMENDER: Degradation
DEGRADATION_NOT_EXPLAINED: Degradation
SHORTFALL_UNSPECIFIED: Shortfall
SHORTFALL_NO_MORE_MATCHES: Shortfall
SHORTFALL_WINDOW_END: Shortfall

class PackedVectors(_message.Message):
    __slots__ = ("data", "dim", "type")
    DATA_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    dim: int
    type: VectorType
    def __init__(self, data: _Optional[bytes] = ..., dim: _Optional[int] = ..., type: _Optional[_Union[VectorType, str]] = ...) -> None: ...

class ItemOutcome(_message.Message):
    __slots__ = ("index", "id", "status")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    index: int
    id: str
    status: _status_pb2.Status
    def __init__(self, index: _Optional[int] = ..., id: _Optional[str] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("name", "version", "digest", "dim", "max_tokens", "languages", "runtime")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    digest: str
    dim: int
    max_tokens: int
    languages: _containers.RepeatedScalarFieldContainer[str]
    runtime: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ..., dim: _Optional[int] = ..., max_tokens: _Optional[int] = ..., languages: _Optional[_Iterable[str]] = ..., runtime: _Optional[str] = ...) -> None: ...

class ExperimentArm(_message.Message):
    __slots__ = ("experiment", "arm")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    arm: str
    def __init__(self, experiment: _Optional[str] = ..., arm: _Optional[str] = ...) -> None: ...
