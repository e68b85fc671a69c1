"""An offer: what a product costs and whether it can be bought, without the rest of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from vitrine.errors import invalid
from vitrine.product import Availability, Product, checked_product


@dataclass(frozen=True, slots=True)
class Offer:
    """A new offer of product `id`; no price: it has none from now on; no currency or availability: that stays.

    With `keep_price` price, original price and currency stay, and none of them may be given.
    """

    id: str
    price: float | None = None
    original_price: float | None = None
    currency_code: str = ""
    availability: Availability | None = None
    keep_price: bool = False


def last_offers(offers: Iterable[Offer]) -> dict[str, Offer]:
    """The last offer of each id; one that keeps the price keeps that of the offer before it."""
    last: dict[str, Offer] = {}
    for offer in offers:
        before = last.get(offer.id)
        if before is not None and offer == Offer(offer.id, availability=offer.availability, keep_price=True):
            last[offer.id] = replace(before, availability=offer.availability or before.availability)
        else:
            last[offer.id] = offer
    return last


def with_offer(product: Product, offer: Offer) -> Product:
    """The product under the offer; its update time stays. Raises InvalidArgument naming the offer's wrong fields."""
    if offer.keep_price:
        if offer.price is not None or offer.original_price is not None or offer.currency_code:
            raise invalid("keep_price", "is set beside a price or a currency; give either")
        return replace(product, availability=offer.availability or product.availability)
    return checked_product(
        replace(
            product,
            price=offer.price,
            original_price=offer.original_price,
            currency_code=offer.currency_code or ("" if offer.price is None else product.currency_code),
            availability=offer.availability or product.availability,
        )
    )
