"""Products made ready but for their vectors, of which they need none: in this process, or in one beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.retriever import child_process
from services.retriever.lexical_index import entry_of
from services.retriever.product_document import document_of
from services.retriever.sheet import Sheet
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.garbage import RARELY_ALL, keep_what_is_there
from vitrine.product import Product, checked_product
from vitrine.product_digest import content_digest

# Searches go before bulk writes, which still get a third of what another process takes.
_NICE = 5


@dataclass(frozen=True, slots=True)
class Texts:
    """What the catalogue and the indexes keep of products.

    `faults` says by place what is wrong with some; the lists and the sheet hold the others, in their order.
    """

    faults: Mapping[int, Sequence[FieldViolation]]
    ids: Sequence[str]
    documents: Sequence[str]
    descriptions: Sequence[str]
    entries: Sequence[str]
    digests: Sequence[bytes]
    sheet: Sheet

    @classmethod
    def of(cls, products: Sequence[Product]) -> "Texts":
        """Checks products and makes them ready; nearly all that a write costs before the writer takes it."""
        faults: dict[int, Sequence[FieldViolation]] = {}
        right: list[Product] = []
        for place, product in enumerate(products):
            try:
                right.append(checked_product(product))
            except InvalidArgument as error:
                faults[place] = error.violations
        ids, entries = [product.id for product in right], [entry_of(product) for product in right]
        return cls(
            faults,
            ids,
            [document_of(product) for product in right],
            [product.description for product in right],
            [entry.encoded() for entry in entries],
            [content_digest(product) for product in right],
            Sheet.of(ids, entries),
        )


def ready() -> None:
    """Done once a process has begun."""


def begin() -> None:
    """What each process does first, and loads what it needs."""
    child_process.begin(_NICE)
    Texts.of([Product(id="p1", title="藍牙耳機 earphones")])
    # The collector's walks took a fifth of the time.
    keep_what_is_there(RARELY_ALL)
