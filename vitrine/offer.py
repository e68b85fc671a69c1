"""An offer: what a product costs and whether it can be bought, without the rest of it."""

from dataclasses import dataclass, replace

from vitrine.product import Availability, Product, checked_product


@dataclass(frozen=True, slots=True)
class Offer:
    """A new offer of product `id`; no price: it has none from now on; no currency or availability: that stays."""

    id: str
    price: float | None = None
    original_price: float | None = None
    currency_code: str = ""
    availability: Availability | None = None


def with_offer(product: Product, offer: Offer) -> Product:
    """The product under the offer; its update time stays. Raises InvalidArgument naming the offer's wrong fields."""
    return checked_product(
        replace(
            product,
            price=offer.price,
            original_price=offer.original_price,
            currency_code=offer.currency_code or ("" if offer.price is None else product.currency_code),
            availability=offer.availability or product.availability,
        )
    )
