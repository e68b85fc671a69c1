from google.rpc import status_pb2 as _status_pb2
from vitrine.v1 import common_pb2 as _common_pb2
from vitrine.v1 import user_event_pb2 as _user_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InputType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INPUT_TYPE_UNSPECIFIED: _ClassVar[InputType]
    INPUT_TYPE_QUERY: _ClassVar[InputType]
    INPUT_TYPE_DOCUMENT: _ClassVar[InputType]

class Overflow(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERFLOW_UNSPECIFIED: _ClassVar[Overflow]
    OVERFLOW_TRUNCATE: _ClassVar[Overflow]
    OVERFLOW_REFUSE: _ClassVar[Overflow]
INPUT_TYPE_UNSPECIFIED: InputType
INPUT_TYPE_QUERY: InputType
INPUT_TYPE_DOCUMENT: InputType
OVERFLOW_UNSPECIFIED: Overflow
OVERFLOW_TRUNCATE: Overflow
OVERFLOW_REFUSE: Overflow

class EmbedRequest(_message.Message):
    __slots__ = ("texts", "input_type", "overflow", "lane", "vector_type", "model_digest")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    VECTOR_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    input_type: InputType
    overflow: Overflow
    lane: _common_pb2.Lane
    vector_type: _common_pb2.VectorType
    model_digest: str
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., input_type: _Optional[_Union[InputType, str]] = ..., overflow: _Optional[_Union[Overflow, str]] = ..., lane: _Optional[_Union[_common_pb2.Lane, str]] = ..., vector_type: _Optional[_Union[_common_pb2.VectorType, str]] = ..., model_digest: _Optional[str] = ...) -> None: ...

class EmbeddedItem(_message.Message):
    __slots__ = ("index", "status", "tokens", "tokens_dropped")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    index: int
    status: _status_pb2.Status
    tokens: int
    tokens_dropped: int
    def __init__(self, index: _Optional[int] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., tokens: _Optional[int] = ..., tokens_dropped: _Optional[int] = ...) -> None: ...

class EmbedResponse(_message.Message):
    __slots__ = ("vectors", "items", "model_digest", "prompt")
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    vectors: _common_pb2.PackedVectors
    items: _containers.RepeatedCompositeFieldContainer[EmbeddedItem]
    model_digest: str
    prompt: str
    def __init__(self, vectors: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ..., items: _Optional[_Iterable[_Union[EmbeddedItem, _Mapping]]] = ..., model_digest: _Optional[str] = ..., prompt: _Optional[str] = ...) -> None: ...

class EmbedStreamRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: EmbedRequest
    def __init__(self, request: _Optional[_Union[EmbedRequest, _Mapping]] = ...) -> None: ...

class EmbedStreamResponse(_message.Message):
    __slots__ = ("response", "status")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    response: EmbedResponse
    status: _status_pb2.Status
    def __init__(self, response: _Optional[_Union[EmbedResponse, _Mapping]] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class HistoryItem(_message.Message):
    __slots__ = ("vector_index", "event_type", "age_s")
    VECTOR_INDEX_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    vector_index: int
    event_type: _user_event_pb2.EventType
    age_s: float
    def __init__(self, vector_index: _Optional[int] = ..., event_type: _Optional[_Union[_user_event_pb2.EventType, str]] = ..., age_s: _Optional[float] = ...) -> None: ...

class History(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[HistoryItem]
    def __init__(self, items: _Optional[_Iterable[_Union[HistoryItem, _Mapping]]] = ...) -> None: ...

class EncodeHistoryRequest(_message.Message):
    __slots__ = ("histories", "item_vectors", "recommender_digest", "lane")
    HISTORIES_FIELD_NUMBER: _ClassVar[int]
    ITEM_VECTORS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    histories: _containers.RepeatedCompositeFieldContainer[History]
    item_vectors: _common_pb2.PackedVectors
    recommender_digest: str
    lane: _common_pb2.Lane
    def __init__(self, histories: _Optional[_Iterable[_Union[History, _Mapping]]] = ..., item_vectors: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ..., recommender_digest: _Optional[str] = ..., lane: _Optional[_Union[_common_pb2.Lane, str]] = ...) -> None: ...

class EncodeHistoryResponse(_message.Message):
    __slots__ = ("vectors", "recommender_digest")
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    vectors: _common_pb2.PackedVectors
    recommender_digest: str
    def __init__(self, vectors: _Optional[_Union[_common_pb2.PackedVectors, _Mapping]] = ..., recommender_digest: _Optional[str] = ...) -> None: ...

class EmbedderServiceGetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EmbedderServiceGetModelResponse(_message.Message):
    __slots__ = ("model", "recommender_digest", "models", "recommender_digests")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDER_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    model: _common_pb2.ModelInfo
    recommender_digest: str
    models: _containers.RepeatedCompositeFieldContainer[_common_pb2.ModelInfo]
    recommender_digests: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[_Union[_common_pb2.ModelInfo, _Mapping]] = ..., recommender_digest: _Optional[str] = ..., models: _Optional[_Iterable[_Union[_common_pb2.ModelInfo, _Mapping]]] = ..., recommender_digests: _Optional[_Iterable[str]] = ...) -> None: ...
