"""Batches of products as they travel, with the rows that they were made from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from cli.ingest.report import Refusal
from cli.ingest.settings import IngestSettings
from vitrine.errors import VitrineError, invalid
from vitrine.messages.product import product_to_message
from vitrine.product import Product
from vitrine.rows import Row
from vitrine.server_settings import MAX_MESSAGE_BYTES
from vitrine.v1 import catalog_service_pb2, product_pb2

# Room for the frame around a product in a request.
_MAX_PRODUCT_BYTES = MAX_MESSAGE_BYTES - 1024
_MAX_UNSENT = 500
# Products that wait for a later row of their id, in memory.
_MAX_HELD = 10_000


class Reading(Protocol):
    """How a row becomes a product: a feed, or a mapping's `ProductRows`."""

    def product(self, values: dict[str, Any], /) -> Product | None:
        """The row's product; None for one that shoppers do not see. Raises InvalidArgument."""
        ...

    def id_of(self, values: dict[str, Any], /) -> str:
        """The id of a row that may be wrong otherwise; "" where it has none."""
        ...


@dataclass(slots=True)
class Batch:
    """One request, the (row number, line) of each of its products, and the rows among them that are not sent.

    These are refusals, (id, row number) of products that did not change, or whose place a later row took before they
    were sent, and rows that are left out. Rows up to `last_row` are settled when it is acknowledged; `position` is how
    far the file was read by then.
    """

    request: catalog_service_pb2.CatalogServiceUpsertProductsRequest = field(
        default_factory=catalog_service_pb2.CatalogServiceUpsertProductsRequest
    )
    places: list[tuple[int, int]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    unchanged: list[tuple[str, int]] = field(default_factory=list)
    replaced: list[tuple[str, int]] = field(default_factory=list)
    left_out: int = 0
    last_row: int = 0
    position: int = 0
    size: int = 0

    def _holds(self, product_id: str) -> bool:
        return any(product.id == product_id for product in self.request.products)

    @property
    def unsent(self) -> int:
        """Rows among them that are not sent."""
        return len(self.refusals) + len(self.unchanged) + len(self.replaced) + self.left_out

    def takes(self, message: product_pb2.Product, settings: IngestSettings) -> bool:
        """Whether the product still fits: an id goes into a batch once, so that the later row wins."""
        fits = len(self.places) < settings.batch_products and self.size + message.ByteSize() <= settings.batch_bytes
        return not self.places or (fits and not self._holds(message.id))

    def add(self, row: Row, message: product_pb2.Product) -> None:
        """Takes the row's product in."""
        self.request.products.append(message)
        self.places.append((row.number, row.line))
        self.size += message.ByteSize()

    def refuse(self, row: Row, product_id: str, error: VitrineError) -> None:
        """Notes that the row is refused."""
        self.refusals.append(Refusal.of(row.number, row.line, product_id, error))
        self.passed(row)

    def passed(self, row: Row) -> None:
        """Notes how far the file was read."""
        self.last_row, self.position = row.number, row.position


def batched(
    rows: Iterator[Row],
    reading: Reading,
    settings: IngestSettings,
    is_unchanged: Callable[[Product], bool] = lambda _product: False,
    repeated: frozenset[str] = frozenset(),
) -> Iterator[Batch]:
    """The rows as batches, in order; a batch may hold nothing to send.

    Products whose ids are `repeated` wait for the end, so that of several rows with one id only the last is sent.
    """
    batch = Batch()
    held: dict[str, tuple[Row, Product, product_pb2.Product]] = {}
    for row in rows:
        if batch.unsent >= _MAX_UNSENT:
            yield batch
            batch = Batch()
        try:
            product = _product(row, reading)
            message = None if product is None else product_to_message(product)
            if message is not None and message.ByteSize() > _MAX_PRODUCT_BYTES:
                raise invalid(
                    "row", f"has {message.ByteSize()} bytes as a message; {_MAX_PRODUCT_BYTES} travel at most"
                )
        except VitrineError as error:
            batch.refuse(row, reading.id_of(row.values), error)
            continue
        if product is None or message is None:
            batch.left_out += 1
        elif product.id in held or (product.id in repeated and len(held) < _MAX_HELD):
            if earlier := held.get(product.id):
                batch.replaced.append((product.id, earlier[0].number))
            held[product.id] = (row, product, message)
        elif is_unchanged(product):
            batch.unchanged.append((product.id, row.number))
        else:
            if not batch.takes(message, settings):
                yield batch
                batch = Batch()
            batch.add(row, message)
        batch.passed(row)
    for row, product, message in held.values():
        if is_unchanged(product):
            batch.unchanged.append((product.id, row.number))
            continue
        if not batch.takes(message, settings):
            yield batch
            batch = Batch(last_row=batch.last_row, position=batch.position)
        batch.add(row, message)
    if batch.last_row:
        yield batch


def _product(row: Row, reading: Reading) -> Product | None:
    if row.fault:
        raise invalid("row", row.fault)
    return reading.product(row.values)
