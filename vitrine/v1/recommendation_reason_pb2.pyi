from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecommendationSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECOMMENDATION_SOURCE_UNSPECIFIED: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_TEXT_SIMILAR: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_HISTORY: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_SEARCHED: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_PROFILE: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_POPULAR_IN_CATEGORY: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_POPULAR: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_NEWEST: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_BEHAVIOUR: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_ALS: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_ITEM_ITEM: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_CO_PURCHASE: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_TRENDING: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_POPULAR_IN_COUNTRY: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_ABOUT: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_SPONSORED: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_PRICE_FIT: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_PROFILE_FIT: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_FRESH: _ClassVar[RecommendationSource]
    RECOMMENDATION_SOURCE_AVAILABILITY: _ClassVar[RecommendationSource]
RECOMMENDATION_SOURCE_UNSPECIFIED: RecommendationSource
RECOMMENDATION_SOURCE_TEXT_SIMILAR: RecommendationSource
RECOMMENDATION_SOURCE_HISTORY: RecommendationSource
RECOMMENDATION_SOURCE_SEARCHED: RecommendationSource
RECOMMENDATION_SOURCE_PROFILE: RecommendationSource
RECOMMENDATION_SOURCE_POPULAR_IN_CATEGORY: RecommendationSource
RECOMMENDATION_SOURCE_POPULAR: RecommendationSource
RECOMMENDATION_SOURCE_NEWEST: RecommendationSource
RECOMMENDATION_SOURCE_BEHAVIOUR: RecommendationSource
RECOMMENDATION_SOURCE_ALS: RecommendationSource
RECOMMENDATION_SOURCE_ITEM_ITEM: RecommendationSource
RECOMMENDATION_SOURCE_CO_PURCHASE: RecommendationSource
RECOMMENDATION_SOURCE_TRENDING: RecommendationSource
RECOMMENDATION_SOURCE_POPULAR_IN_COUNTRY: RecommendationSource
RECOMMENDATION_SOURCE_ABOUT: RecommendationSource
RECOMMENDATION_SOURCE_SPONSORED: RecommendationSource
RECOMMENDATION_SOURCE_PRICE_FIT: RecommendationSource
RECOMMENDATION_SOURCE_PROFILE_FIT: RecommendationSource
RECOMMENDATION_SOURCE_FRESH: RecommendationSource
RECOMMENDATION_SOURCE_AVAILABILITY: RecommendationSource

class RecommendationFeature(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class RecommendationReason(_message.Message):
    __slots__ = ("source", "contribution", "product_ids", "text", "category", "features")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    source: RecommendationSource
    contribution: float
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    text: str
    category: str
    features: _containers.RepeatedCompositeFieldContainer[RecommendationFeature]
    def __init__(self, source: _Optional[_Union[RecommendationSource, str]] = ..., contribution: _Optional[float] = ..., product_ids: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., category: _Optional[str] = ..., features: _Optional[_Iterable[_Union[RecommendationFeature, _Mapping]]] = ...) -> None: ...
