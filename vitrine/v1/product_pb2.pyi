from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Availability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AVAILABILITY_UNSPECIFIED: _ClassVar[Availability]
    AVAILABILITY_IN_STOCK: _ClassVar[Availability]
    AVAILABILITY_OUT_OF_STOCK: _ClassVar[Availability]
    AVAILABILITY_PREORDER: _ClassVar[Availability]
    AVAILABILITY_BACKORDER: _ClassVar[Availability]

class ProductKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRODUCT_KIND_UNSPECIFIED: _ClassVar[ProductKind]
    PRODUCT_KIND_PRODUCT: _ClassVar[ProductKind]
    PRODUCT_KIND_REVIEW: _ClassVar[ProductKind]
    PRODUCT_KIND_GUIDE: _ClassVar[ProductKind]
AVAILABILITY_UNSPECIFIED: Availability
AVAILABILITY_IN_STOCK: Availability
AVAILABILITY_OUT_OF_STOCK: Availability
AVAILABILITY_PREORDER: Availability
AVAILABILITY_BACKORDER: Availability
PRODUCT_KIND_UNSPECIFIED: ProductKind
PRODUCT_KIND_PRODUCT: ProductKind
PRODUCT_KIND_REVIEW: ProductKind
PRODUCT_KIND_GUIDE: ProductKind

class AttributeValues(_message.Message):
    __slots__ = ("text", "numbers")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    text: _containers.RepeatedScalarFieldContainer[str]
    numbers: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, text: _Optional[_Iterable[str]] = ..., numbers: _Optional[_Iterable[float]] = ...) -> None: ...

class Product(_message.Message):
    __slots__ = ("id", "title", "brand", "categories", "description", "price", "original_price", "currency_code", "availability", "attributes", "image_uris", "language", "update_time", "kind", "about_product_ids", "rating", "revision")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValues, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_PRICE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URIS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ABOUT_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    brand: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    description: str
    price: float
    original_price: float
    currency_code: str
    availability: Availability
    attributes: _containers.MessageMap[str, AttributeValues]
    image_uris: _containers.RepeatedScalarFieldContainer[str]
    language: str
    update_time: _timestamp_pb2.Timestamp
    kind: ProductKind
    about_product_ids: _containers.RepeatedScalarFieldContainer[str]
    rating: float
    revision: int
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., brand: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ..., description: _Optional[str] = ..., price: _Optional[float] = ..., original_price: _Optional[float] = ..., currency_code: _Optional[str] = ..., availability: _Optional[_Union[Availability, str]] = ..., attributes: _Optional[_Mapping[str, AttributeValues]] = ..., image_uris: _Optional[_Iterable[str]] = ..., language: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[ProductKind, str]] = ..., about_product_ids: _Optional[_Iterable[str]] = ..., rating: _Optional[float] = ..., revision: _Optional[int] = ...) -> None: ...
