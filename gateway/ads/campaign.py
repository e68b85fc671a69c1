"""A campaign as plain data, the rules that it meets, and how it is kept."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.ads.money import MAX_UNITS, smallest, units_of
from gateway.events.record import milliseconds, moment
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.product import id_violation
from vitrine.text import clean_text

MAX_CAMPAIGN_PRODUCTS = 1_000
MAX_NAME_CHARACTERS = 256
MAX_DAILY_IMPRESSIONS = 1_000
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class SponsoredProduct:
    """A product and the most that a click on it may cost."""

    product_id: str
    bid: float


@dataclass(frozen=True, slots=True)
class Campaign:
    """Who pays for what; fields, units and limits are those of ad_service.proto."""

    id: str
    currency_code: str
    daily_budget: float
    products: tuple[SponsoredProduct, ...]
    name: str = ""
    daily_impressions_per_visitor: int = 0
    start_time: datetime | None = None
    end_time: datetime | None = None
    paused: bool = False

    def runs(self, now: datetime) -> bool:
        """Whether its ads may be shown, as far as time and will go."""
        started = self.start_time is None or self.start_time <= now
        return started and not self.paused and (self.end_time is None or now < self.end_time)


def checked_campaign(campaign: Campaign) -> Campaign:
    """The campaign with a cleaned name. Raises InvalidArgument naming every wrong field ("products[2].bid")."""
    cleaned = replace(campaign, name=clean_text(campaign.name))
    if violations := list(_violations(cleaned)):
        raise InvalidArgument(*violations)
    return cleaned


def packed_campaign(campaign: Campaign) -> bytes:
    """A checked campaign as JSON."""
    kept = {
        "id": campaign.id,
        "name": campaign.name,
        "currency_code": campaign.currency_code,
        "daily_budget": campaign.daily_budget,
        "products": [[one.product_id, one.bid] for one in campaign.products],
        "daily_impressions_per_visitor": campaign.daily_impressions_per_visitor,
        "start_ms": None if campaign.start_time is None else milliseconds(campaign.start_time),
        "end_ms": None if campaign.end_time is None else milliseconds(campaign.end_time),
        "paused": campaign.paused,
    }
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def unpacked_campaign(data: bytes) -> Campaign:
    """The campaign of `packed_campaign`."""
    kept = json.loads(data)
    start_ms, end_ms = kept.pop("start_ms"), kept.pop("end_ms")
    return Campaign(
        products=tuple(SponsoredProduct(*one) for one in kept.pop("products")),
        start_time=None if start_ms is None else moment(start_ms),
        end_time=None if end_ms is None else moment(end_ms),
        **kept,
    )


def campaign_id_fault(campaign_id: str) -> str | None:
    """What is wrong with a campaign's id, and the fix; None when it is right."""
    return id_violation(campaign_id)


def _violations(campaign: Campaign) -> Iterator[FieldViolation]:
    if fault := campaign_id_fault(campaign.id):
        yield FieldViolation("id", fault)
    if len(campaign.name) > MAX_NAME_CHARACTERS:
        fault = f"has {len(campaign.name)} characters; at most {MAX_NAME_CHARACTERS} are allowed"
        yield FieldViolation("name", fault)
    code = campaign.currency_code
    if not _CURRENCY.fullmatch(code):
        yield FieldViolation("currency_code", f"{code!r} is not an ISO 4217 code such as 'CNY'")
        code = ""
    if fault := _amount_fault(campaign.daily_budget, code):
        yield FieldViolation("daily_budget", fault)
    yield from _product_violations(campaign.products, code)
    shown = campaign.daily_impressions_per_visitor
    if not 0 <= shown <= MAX_DAILY_IMPRESSIONS:
        fault = f"is {shown}; give 1 to {MAX_DAILY_IMPRESSIONS:,}, or 0 for the server's setting"
        yield FieldViolation("daily_impressions_per_visitor", fault)
    start, end = campaign.start_time, campaign.end_time
    if start is not None and end is not None and end <= start:
        yield FieldViolation("end_time", "is not after start_time; a campaign ends after it starts")


def _product_violations(products: tuple[SponsoredProduct, ...], code: str) -> Iterator[FieldViolation]:
    if not 1 <= len(products) <= MAX_CAMPAIGN_PRODUCTS:
        yield FieldViolation("products", f"has {len(products)} entries; give 1 to {MAX_CAMPAIGN_PRODUCTS:,}")
        return
    first_places: dict[str, int] = {}
    for index, product in enumerate(products):
        if fault := id_violation(product.product_id):
            yield FieldViolation(f"products[{index}].product_id", fault)
        elif (first := first_places.setdefault(product.product_id, index)) != index:
            yield FieldViolation(f"products[{index}].product_id", f"is that of products[{first}]; give each once")
        if fault := _amount_fault(product.bid, code):
            yield FieldViolation(f"products[{index}].bid", fault)


def _amount_fault(amount: float, code: str) -> str | None:
    if not (math.isfinite(amount) and amount > 0):
        return f"is {amount}; give a finite amount above 0"
    if not code:
        return None
    units = units_of(amount, code)
    if units is None:
        return f"is {amount!r}, finer than {code} goes; give a multiple of {smallest(code)}"
    if units > MAX_UNITS:
        return f"is {amount!r}; at most {MAX_UNITS:,} times {smallest(code)} {code} are allowed"
    return None
