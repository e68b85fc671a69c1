from google.protobuf import timestamp_pb2 as _timestamp_pb2
from vitrine.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SponsoredProduct(_message.Message):
    __slots__ = ("product_id", "bid")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    bid: float
    def __init__(self, product_id: _Optional[str] = ..., bid: _Optional[float] = ...) -> None: ...

class Campaign(_message.Message):
    __slots__ = ("id", "name", "currency_code", "daily_budget", "products", "daily_impressions_per_visitor", "start_time", "end_time", "paused")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    DAILY_BUDGET_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    DAILY_IMPRESSIONS_PER_VISITOR_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    currency_code: str
    daily_budget: float
    products: _containers.RepeatedCompositeFieldContainer[SponsoredProduct]
    daily_impressions_per_visitor: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    paused: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., currency_code: _Optional[str] = ..., daily_budget: _Optional[float] = ..., products: _Optional[_Iterable[_Union[SponsoredProduct, _Mapping]]] = ..., daily_impressions_per_visitor: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., paused: bool = ...) -> None: ...

class CampaignSpend(_message.Message):
    __slots__ = ("spent_today", "spent", "impressions_today", "clicks_today", "impressions", "clicks")
    SPENT_TODAY_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    IMPRESSIONS_TODAY_FIELD_NUMBER: _ClassVar[int]
    CLICKS_TODAY_FIELD_NUMBER: _ClassVar[int]
    IMPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    CLICKS_FIELD_NUMBER: _ClassVar[int]
    spent_today: float
    spent: float
    impressions_today: int
    clicks_today: int
    impressions: int
    clicks: int
    def __init__(self, spent_today: _Optional[float] = ..., spent: _Optional[float] = ..., impressions_today: _Optional[int] = ..., clicks_today: _Optional[int] = ..., impressions: _Optional[int] = ..., clicks: _Optional[int] = ...) -> None: ...

class CampaignReport(_message.Message):
    __slots__ = ("campaign", "spend")
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    SPEND_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    spend: CampaignSpend
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ..., spend: _Optional[_Union[CampaignSpend, _Mapping]] = ...) -> None: ...

class UpsertCampaignsRequest(_message.Message):
    __slots__ = ("campaigns",)
    CAMPAIGNS_FIELD_NUMBER: _ClassVar[int]
    campaigns: _containers.RepeatedCompositeFieldContainer[Campaign]
    def __init__(self, campaigns: _Optional[_Iterable[_Union[Campaign, _Mapping]]] = ...) -> None: ...

class UpsertCampaignsResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[_common_pb2.ItemOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_common_pb2.ItemOutcome, _Mapping]]] = ...) -> None: ...

class DeleteCampaignsRequest(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteCampaignsResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[_common_pb2.ItemOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_common_pb2.ItemOutcome, _Mapping]]] = ...) -> None: ...

class ListCampaignsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCampaignsResponse(_message.Message):
    __slots__ = ("campaigns", "next_page_token")
    CAMPAIGNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    campaigns: _containers.RepeatedCompositeFieldContainer[CampaignReport]
    next_page_token: str
    def __init__(self, campaigns: _Optional[_Iterable[_Union[CampaignReport, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
