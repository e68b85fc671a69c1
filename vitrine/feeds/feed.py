"""A feed: a file of products, what kind it is, and how its rows become products."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from vitrine.errors import InvalidArgument
from vitrine.mapping import Mapping, load_mapping
from vitrine.offer import Offer
from vitrine.product import Product
from vitrine.product_row import ProductRows
from vitrine.rows import Row

# A row of the feed as one with the catalogue's own field names; None: it is no product for shoppers (a draft). Counts
# in its second argument what it mended or left out. Columns that it does not know keep their names, to be reported.
Native = Callable[[dict[str, Any], Counter[str]], dict[str, Any] | None]


class RowSource(Protocol):
    """Rows one after the other; `size` in the unit of their position."""

    @property
    def size(self) -> int: ...

    def rows(self, skip: int = 0) -> Iterator[Row]:
        """The rows after the first `skip`. Raises InvalidArgument where the file itself is damaged."""
        ...


@dataclass(frozen=True, slots=True)
class Feed:
    """What `open_feed` gives. `layout` says how the file is read: another one is another reading of it."""

    kind: str
    source: RowSource
    products: ProductRows
    layout: str
    native: Native | None = None

    def product(self, values: dict[str, Any]) -> Product | None:
        """The row's product; None for one that shoppers do not see. Raises InvalidArgument naming each wrong field."""
        row = values if self.native is None else self.native(values, self.products.mended)
        return None if row is None else self.products.product(row)

    def offer(self, values: dict[str, Any]) -> Offer | None:
        """The row's price and availability; None for a product that shoppers do not see. Raises InvalidArgument."""
        row = values if self.native is None else self.native(values, self.products.mended)
        return None if row is None else self.products.offer(row)

    def id_of(self, values: dict[str, Any]) -> str:
        """The id of a row that may be wrong otherwise; "" where it has none that can be told."""
        try:
            row = values if self.native is None or not values else self.native(values, Counter())
        except InvalidArgument:
            row = values
        return self.products.id_of(row or values)


def native_mapping() -> Mapping:
    """The catalogue's own names, with attributes beyond its limits left out: no feed was made for these limits."""
    mapping = load_mapping(None)
    return mapping.model_copy(update={"attributes": mapping.attributes.model_copy(update={"drop_oversized": True})})
