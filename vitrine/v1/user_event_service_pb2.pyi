from google.protobuf import timestamp_pb2 as _timestamp_pb2
from vitrine.v1 import common_pb2 as _common_pb2
from vitrine.v1 import user_event_pb2 as _user_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WriteUserEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_user_event_pb2.UserEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_user_event_pb2.UserEvent, _Mapping]]] = ...) -> None: ...

class WriteUserEventsResponse(_message.Message):
    __slots__ = ("outcomes", "duplicates")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[_common_pb2.ItemOutcome]
    duplicates: int
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_common_pb2.ItemOutcome, _Mapping]]] = ..., duplicates: _Optional[int] = ...) -> None: ...

class DeleteVisitorRequest(_message.Message):
    __slots__ = ("visitor_id",)
    VISITOR_ID_FIELD_NUMBER: _ClassVar[int]
    visitor_id: str
    def __init__(self, visitor_id: _Optional[str] = ...) -> None: ...

class DeleteVisitorResponse(_message.Message):
    __slots__ = ("events_erased",)
    EVENTS_ERASED_FIELD_NUMBER: _ClassVar[int]
    events_erased: int
    def __init__(self, events_erased: _Optional[int] = ...) -> None: ...

class GetVisitorRequest(_message.Message):
    __slots__ = ("visitor_id",)
    VISITOR_ID_FIELD_NUMBER: _ClassVar[int]
    visitor_id: str
    def __init__(self, visitor_id: _Optional[str] = ...) -> None: ...

class VisitorAction(_message.Message):
    __slots__ = ("event_type", "product_id", "query", "event_time")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    event_type: _user_event_pb2.EventType
    product_id: str
    query: str
    event_time: _timestamp_pb2.Timestamp
    def __init__(self, event_type: _Optional[_Union[_user_event_pb2.EventType, str]] = ..., product_id: _Optional[str] = ..., query: _Optional[str] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetVisitorResponse(_message.Message):
    __slots__ = ("history", "event_count", "erase_time")
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERASE_TIME_FIELD_NUMBER: _ClassVar[int]
    history: _containers.RepeatedCompositeFieldContainer[VisitorAction]
    event_count: int
    erase_time: _timestamp_pb2.Timestamp
    def __init__(self, history: _Optional[_Iterable[_Union[VisitorAction, _Mapping]]] = ..., event_count: _Optional[int] = ..., erase_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListUserEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListUserEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_user_event_pb2.UserEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[_user_event_pb2.UserEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PurgeUserEventsRequest(_message.Message):
    __slots__ = ("page_token", "before")
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    page_token: str
    before: _timestamp_pb2.Timestamp
    def __init__(self, page_token: _Optional[str] = ..., before: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PurgeUserEventsResponse(_message.Message):
    __slots__ = ("events_purged",)
    EVENTS_PURGED_FIELD_NUMBER: _ClassVar[int]
    events_purged: int
    def __init__(self, events_purged: _Optional[int] = ...) -> None: ...

class ListErasedVisitorsRequest(_message.Message):
    __slots__ = ("since",)
    SINCE_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    def __init__(self, since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ErasedVisitor(_message.Message):
    __slots__ = ("visitor_digest", "erase_time")
    VISITOR_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ERASE_TIME_FIELD_NUMBER: _ClassVar[int]
    visitor_digest: bytes
    erase_time: _timestamp_pb2.Timestamp
    def __init__(self, visitor_digest: _Optional[bytes] = ..., erase_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListErasedVisitorsResponse(_message.Message):
    __slots__ = ("visitors",)
    VISITORS_FIELD_NUMBER: _ClassVar[int]
    visitors: _containers.RepeatedCompositeFieldContainer[ErasedVisitor]
    def __init__(self, visitors: _Optional[_Iterable[_Union[ErasedVisitor, _Mapping]]] = ...) -> None: ...
