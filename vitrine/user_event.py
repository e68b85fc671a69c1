"""What visitors do, as plain data, and the rules that every way in enforces."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from hashlib import blake2b

from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.product import MAX_CATEGORY_CHARACTERS, clean_category
from vitrine.text import clean_text

MAX_ID_CHARACTERS = 128
MAX_QUERY_CHARACTERS = 512
MAX_TOKEN_CHARACTERS = 256
MAX_PRODUCTS = 200
MAX_QUANTITY = 1_000_000
MAX_POSITION = 100_000
# A clock may run fast; an event from further ahead would stand before all that is real.
MAX_AHEAD = timedelta(minutes=5)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
# A shop has few categories, and its events name them again and again.
_clean_category = lru_cache(maxsize=10_000)(clean_category)
_SPACE = re.compile(r"\s")


class EventType(Enum):
    """What happened; the values are GA4's and UBI's own names, in the order of their numbers in user_event.proto."""

    SEARCH = "search"
    VIEW_ITEM_LIST = "view_item_list"
    SELECT_ITEM = "select_item"
    VIEW_ITEM = "view_item"
    ADD_TO_WISHLIST = "add_to_wishlist"
    ADD_TO_CART = "add_to_cart"
    REMOVE_FROM_CART = "remove_from_cart"
    VIEW_CART = "view_cart"
    BEGIN_CHECKOUT = "begin_checkout"
    PURCHASE = "purchase"
    REFUND = "refund"
    VIEW_PROMOTION = "view_promotion"
    SELECT_PROMOTION = "select_promotion"
    AD_IMPRESSION = "ad_impression"
    AD_CLICK = "ad_click"

    @property
    def number(self) -> int:
        """Its number in user_event.proto, which is what models read; 0 is none."""
        return _NUMBERS[self]


_NUMBERS = {kind: number for number, kind in enumerate(EventType, 1)}

_NEED_PRODUCTS = frozenset(EventType) - {
    EventType.SEARCH,
    EventType.VIEW_CART,
    EventType.BEGIN_CHECKOUT,
    EventType.REFUND,
    EventType.VIEW_PROMOTION,
    EventType.SELECT_PROMOTION,
}


@dataclass(frozen=True, slots=True)
class EventProduct:
    """A product of an event; fields, units and limits are those of user_event.proto."""

    product_id: str
    quantity: int = 1
    price: float | None = None
    position: int = 0
    category: str = ""


@dataclass(frozen=True, slots=True)
class UserEvent:
    """One thing that a visitor did; fields, units and limits are those of user_event.proto."""

    event_id: str
    event_type: EventType
    visitor_id: str
    session_id: str = ""
    event_time: datetime | None = None
    query: str = ""
    products: tuple[EventProduct, ...] = ()
    currency_code: str = ""
    transaction_id: str = ""
    attribution_token: str = ""
    placement: str = ""
    country_code: str = ""


def visitor_digest(visitor_id: str) -> bytes:
    """The 16 bytes that stand for a visitor where the id itself must not."""
    return blake2b(visitor_id.encode(), digest_size=16).digest()


def checked_event(event: UserEvent, now: datetime) -> UserEvent:
    """The event with cleaned texts and its time, whole milliseconds, filled in: `now` where it says none.

    Raises InvalidArgument naming every wrong field by its path within the event ("products[2].price").
    """
    time = event.event_time or now
    cleaned = replace(
        event,
        event_time=time.replace(microsecond=time.microsecond // 1000 * 1000),
        query=clean_text(event.query),
        products=tuple(
            replace(one, category=_clean_category(one.category)) if one.category else one for one in event.products
        ),
    )
    if violations := list(_violations(cleaned, now)):
        raise InvalidArgument(*violations)
    return cleaned


def event_id_fault(text: str) -> str | None:
    """What is wrong with the id of an event or visitor, and the fix; None when it is right."""
    if not text:
        return "is empty; it is needed"
    if len(text) > MAX_ID_CHARACTERS:
        return f"has {len(text)} characters; at most {MAX_ID_CHARACTERS} are allowed"
    if _SPACE.search(text) or (not text.isprintable() and clean_text(text) != text):
        return "holds white space or control characters; remove them"
    return None


def _violations(event: UserEvent, now: datetime) -> Iterator[FieldViolation]:
    for name, text in (("event_id", event.event_id), ("visitor_id", event.visitor_id)):
        if fault := event_id_fault(text):
            yield FieldViolation(name, fault)
    for name, text, limit in (
        ("session_id", event.session_id, MAX_ID_CHARACTERS),
        ("query", event.query, MAX_QUERY_CHARACTERS),
        ("transaction_id", event.transaction_id, MAX_ID_CHARACTERS),
        ("attribution_token", event.attribution_token, MAX_TOKEN_CHARACTERS),
        ("placement", event.placement, MAX_ID_CHARACTERS),
    ):
        if len(text) > limit:
            yield FieldViolation(name, f"has {len(text)} characters; at most {limit} are allowed")
    assert event.event_time is not None
    if event.event_time.tzinfo is None:
        yield FieldViolation("event_time", "has no time zone; say which, for example +00:00")
    elif not _EARLIEST <= event.event_time <= now + MAX_AHEAD:
        yield FieldViolation("event_time", f"{event.event_time.isoformat()} is before the year 2000 or in the future")
    if event.event_type is EventType.SEARCH and not event.query:
        yield FieldViolation("query", "is empty; a search needs what was searched for")
    if event.event_type in _NEED_PRODUCTS and not event.products:
        yield FieldViolation("products", f"is empty; {event.event_type.value} needs the products that it is about")
    if event.currency_code and not _CURRENCY.fullmatch(event.currency_code):
        yield FieldViolation("currency_code", f"{event.currency_code!r} is not an ISO 4217 code such as 'CNY'")
    if event.country_code and not _COUNTRY.fullmatch(event.country_code):
        yield FieldViolation("country_code", f"{event.country_code!r} is not an ISO 3166-1 code such as 'CN'")
    yield from _product_violations(event.products)


def _product_violations(products: Sequence[EventProduct]) -> Iterator[FieldViolation]:
    if len(products) > MAX_PRODUCTS:
        yield FieldViolation("products", f"has {len(products)} entries; at most {MAX_PRODUCTS} are allowed")
        return
    for index, product in enumerate(products):
        path = f"products[{index}]"
        if fault := event_id_fault(product.product_id):
            yield FieldViolation(f"{path}.product_id", fault)
        if not 1 <= product.quantity <= MAX_QUANTITY:
            yield FieldViolation(f"{path}.quantity", f"is {product.quantity}; give 1 to {MAX_QUANTITY:,}")
        if not 0 <= product.position <= MAX_POSITION:
            yield FieldViolation(f"{path}.position", f"is {product.position}; give 1 to {MAX_POSITION:,}, 0: unknown")
        if product.price is not None and not (math.isfinite(product.price) and product.price >= 0):
            yield FieldViolation(f"{path}.price", f"is {product.price}; give a finite number that is not negative")
        if len(product.category) > MAX_CATEGORY_CHARACTERS:
            yield FieldViolation(
                f"{path}.category",
                f"has {len(product.category)} characters; at most {MAX_CATEGORY_CHARACTERS} are allowed",
            )
