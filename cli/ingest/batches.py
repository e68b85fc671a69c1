"""Batches of products as they travel, with the rows that they were made from."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cli.ingest.report import Refusal
from cli.ingest.settings import IngestSettings
from vitrine.errors import VitrineError, invalid
from vitrine.messages.product import product_to_message
from vitrine.product_row import ProductRows
from vitrine.rows import Row
from vitrine.server_settings import MAX_MESSAGE_BYTES
from vitrine.v1 import catalog_service_pb2, product_pb2

# Room for the frame around a product in a request.
_MAX_PRODUCT_BYTES = MAX_MESSAGE_BYTES - 1024
_MAX_REFUSALS = 500


@dataclass(slots=True)
class Batch:
    """One request, the (row number, line) of each of its products, and the rows among them that were refused.

    Rows up to `last_row` are settled when it is acknowledged; `position` is how far the file was read by then.
    """

    request: catalog_service_pb2.CatalogServiceUpsertProductsRequest = field(
        default_factory=catalog_service_pb2.CatalogServiceUpsertProductsRequest
    )
    places: list[tuple[int, int]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    last_row: int = 0
    position: int = 0
    size: int = 0

    def _holds(self, product_id: str) -> bool:
        return any(product.id == product_id for product in self.request.products)

    def takes(self, message: product_pb2.Product, settings: IngestSettings) -> bool:
        """Whether the product still fits: an id goes into a batch once, so that the later row wins."""
        fits = len(self.places) < settings.batch_products and self.size + message.ByteSize() <= settings.batch_bytes
        return not self.places or (fits and not self._holds(message.id))

    def add(self, row: Row, message: product_pb2.Product) -> None:
        """Takes the row's product in."""
        self.request.products.append(message)
        self.places.append((row.number, row.line))
        self.size += message.ByteSize()
        self.passed(row)

    def refuse(self, row: Row, product_id: str, error: VitrineError) -> None:
        """Notes that the row is refused."""
        self.refusals.append(Refusal.of(row.number, row.line, product_id, error))
        self.passed(row)

    def passed(self, row: Row) -> None:
        """Notes how far the file was read."""
        self.last_row, self.position = row.number, row.position


def batched(rows: Iterator[Row], products: ProductRows, settings: IngestSettings) -> Iterator[Batch]:
    """The rows as batches, in order; a batch may hold refusals only."""
    batch = Batch()
    for row in rows:
        try:
            message = _message(row, products)
        except VitrineError as error:
            batch.refuse(row, _id_of(row), error)
            if len(batch.refusals) == _MAX_REFUSALS:
                yield batch
                batch = Batch()
            continue
        if not batch.takes(message, settings):
            yield batch
            batch = Batch()
        batch.add(row, message)
    if batch.last_row:
        yield batch


def _message(row: Row, products: ProductRows) -> product_pb2.Product:
    if row.fault:
        raise invalid("row", row.fault)
    message = product_to_message(products.product(row.values))
    if message.ByteSize() > _MAX_PRODUCT_BYTES:
        raise invalid("row", f"has {message.ByteSize()} bytes as a message; at most {_MAX_PRODUCT_BYTES} travel")
    return message


def _id_of(row: Row) -> str:
    value = row.values.get("id", "")
    return str(value)[:128]
