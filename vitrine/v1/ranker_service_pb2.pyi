from google.rpc import status_pb2 as _status_pb2
from vitrine.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Evidence(_message.Message):
    __slots__ = ("dense", "lexical")
    DENSE_FIELD_NUMBER: _ClassVar[int]
    LEXICAL_FIELD_NUMBER: _ClassVar[int]
    dense: float
    lexical: float
    def __init__(self, dense: _Optional[float] = ..., lexical: _Optional[float] = ...) -> None: ...

class RankCandidate(_message.Message):
    __slots__ = ("id", "text", "revision", "evidence")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    revision: int
    evidence: Evidence
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., revision: _Optional[int] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ...) -> None: ...

class RankRequest(_message.Message):
    __slots__ = ("query", "candidates", "top_n", "lane", "model_digest", "shown")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    TOP_N_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    query: str
    candidates: _containers.RepeatedCompositeFieldContainer[RankCandidate]
    top_n: int
    lane: _common_pb2.Lane
    model_digest: str
    shown: int
    def __init__(self, query: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[RankCandidate, _Mapping]]] = ..., top_n: _Optional[int] = ..., lane: _Optional[_Union[_common_pb2.Lane, str]] = ..., model_digest: _Optional[str] = ..., shown: _Optional[int] = ...) -> None: ...

class RankedCandidate(_message.Message):
    __slots__ = ("index", "id", "logit", "score", "probability", "query_tokens_dropped", "text_tokens_dropped")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LOGIT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    QUERY_TOKENS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    TEXT_TOKENS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    index: int
    id: str
    logit: float
    score: float
    probability: float
    query_tokens_dropped: int
    text_tokens_dropped: int
    def __init__(self, index: _Optional[int] = ..., id: _Optional[str] = ..., logit: _Optional[float] = ..., score: _Optional[float] = ..., probability: _Optional[float] = ..., query_tokens_dropped: _Optional[int] = ..., text_tokens_dropped: _Optional[int] = ...) -> None: ...

class RankFailure(_message.Message):
    __slots__ = ("index", "id", "status")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    index: int
    id: str
    status: _status_pb2.Status
    def __init__(self, index: _Optional[int] = ..., id: _Optional[str] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class RankResponse(_message.Message):
    __slots__ = ("ranked", "failures", "model_digest", "read_pairs", "cut_short")
    RANKED_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    READ_PAIRS_FIELD_NUMBER: _ClassVar[int]
    CUT_SHORT_FIELD_NUMBER: _ClassVar[int]
    ranked: _containers.RepeatedCompositeFieldContainer[RankedCandidate]
    failures: _containers.RepeatedCompositeFieldContainer[RankFailure]
    model_digest: str
    read_pairs: int
    cut_short: bool
    def __init__(self, ranked: _Optional[_Iterable[_Union[RankedCandidate, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[RankFailure, _Mapping]]] = ..., model_digest: _Optional[str] = ..., read_pairs: _Optional[int] = ..., cut_short: bool = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("query", "candidates", "model_digest")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    query: str
    candidates: _containers.RepeatedCompositeFieldContainer[RankCandidate]
    model_digest: str
    def __init__(self, query: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[RankCandidate, _Mapping]]] = ..., model_digest: _Optional[str] = ...) -> None: ...

class TokenAttribution(_message.Message):
    __slots__ = ("text", "start", "end", "attribution")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: int
    end: int
    attribution: float
    def __init__(self, text: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., attribution: _Optional[float] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("index", "id", "logit", "query_tokens", "text_tokens", "text")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LOGIT_FIELD_NUMBER: _ClassVar[int]
    QUERY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    index: int
    id: str
    logit: float
    query_tokens: _containers.RepeatedCompositeFieldContainer[TokenAttribution]
    text_tokens: _containers.RepeatedCompositeFieldContainer[TokenAttribution]
    text: str
    def __init__(self, index: _Optional[int] = ..., id: _Optional[str] = ..., logit: _Optional[float] = ..., query_tokens: _Optional[_Iterable[_Union[TokenAttribution, _Mapping]]] = ..., text_tokens: _Optional[_Iterable[_Union[TokenAttribution, _Mapping]]] = ..., text: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("explanations", "model_digest")
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    explanations: _containers.RepeatedCompositeFieldContainer[Explanation]
    model_digest: str
    def __init__(self, explanations: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., model_digest: _Optional[str] = ...) -> None: ...

class RankerServiceGetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RankerServiceGetModelResponse(_message.Message):
    __slots__ = ("model", "models")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    model: _common_pb2.ModelInfo
    models: _containers.RepeatedCompositeFieldContainer[_common_pb2.ModelInfo]
    def __init__(self, model: _Optional[_Union[_common_pb2.ModelInfo, _Mapping]] = ..., models: _Optional[_Iterable[_Union[_common_pb2.ModelInfo, _Mapping]]] = ...) -> None: ...
