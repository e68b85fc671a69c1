from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_TYPE_UNSPECIFIED: _ClassVar[EventType]
    EVENT_TYPE_SEARCH: _ClassVar[EventType]
    EVENT_TYPE_VIEW_ITEM_LIST: _ClassVar[EventType]
    EVENT_TYPE_SELECT_ITEM: _ClassVar[EventType]
    EVENT_TYPE_VIEW_ITEM: _ClassVar[EventType]
    EVENT_TYPE_ADD_TO_WISHLIST: _ClassVar[EventType]
    EVENT_TYPE_ADD_TO_CART: _ClassVar[EventType]
    EVENT_TYPE_REMOVE_FROM_CART: _ClassVar[EventType]
    EVENT_TYPE_VIEW_CART: _ClassVar[EventType]
    EVENT_TYPE_BEGIN_CHECKOUT: _ClassVar[EventType]
    EVENT_TYPE_PURCHASE: _ClassVar[EventType]
    EVENT_TYPE_REFUND: _ClassVar[EventType]
    EVENT_TYPE_VIEW_PROMOTION: _ClassVar[EventType]
    EVENT_TYPE_SELECT_PROMOTION: _ClassVar[EventType]
    EVENT_TYPE_AD_IMPRESSION: _ClassVar[EventType]
    EVENT_TYPE_AD_CLICK: _ClassVar[EventType]
EVENT_TYPE_UNSPECIFIED: EventType
EVENT_TYPE_SEARCH: EventType
EVENT_TYPE_VIEW_ITEM_LIST: EventType
EVENT_TYPE_SELECT_ITEM: EventType
EVENT_TYPE_VIEW_ITEM: EventType
EVENT_TYPE_ADD_TO_WISHLIST: EventType
EVENT_TYPE_ADD_TO_CART: EventType
EVENT_TYPE_REMOVE_FROM_CART: EventType
EVENT_TYPE_VIEW_CART: EventType
EVENT_TYPE_BEGIN_CHECKOUT: EventType
EVENT_TYPE_PURCHASE: EventType
EVENT_TYPE_REFUND: EventType
EVENT_TYPE_VIEW_PROMOTION: EventType
EVENT_TYPE_SELECT_PROMOTION: EventType
EVENT_TYPE_AD_IMPRESSION: EventType
EVENT_TYPE_AD_CLICK: EventType

class EventProduct(_message.Message):
    __slots__ = ("product_id", "quantity", "price", "position", "category")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    quantity: int
    price: float
    position: int
    category: str
    def __init__(self, product_id: _Optional[str] = ..., quantity: _Optional[int] = ..., price: _Optional[float] = ..., position: _Optional[int] = ..., category: _Optional[str] = ...) -> None: ...

class UserEvent(_message.Message):
    __slots__ = ("event_id", "event_type", "visitor_id", "session_id", "event_time", "query", "products", "currency_code", "transaction_id", "attribution_token", "placement", "country_code")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    VISITOR_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_CODE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    event_type: EventType
    visitor_id: str
    session_id: str
    event_time: _timestamp_pb2.Timestamp
    query: str
    products: _containers.RepeatedCompositeFieldContainer[EventProduct]
    currency_code: str
    transaction_id: str
    attribution_token: str
    placement: str
    country_code: str
    def __init__(self, event_id: _Optional[str] = ..., event_type: _Optional[_Union[EventType, str]] = ..., visitor_id: _Optional[str] = ..., session_id: _Optional[str] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., query: _Optional[str] = ..., products: _Optional[_Iterable[_Union[EventProduct, _Mapping]]] = ..., currency_code: _Optional[str] = ..., transaction_id: _Optional[str] = ..., attribution_token: _Optional[str] = ..., placement: _Optional[str] = ..., country_code: _Optional[str] = ...) -> None: ...
