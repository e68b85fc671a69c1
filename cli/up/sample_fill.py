"""Fills an empty store with the sample shop, through the catalogue's public API."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from cli.ingest.batches import Batch, batched
from cli.ingest.delivery import Delivery, Outcomes
from cli.ingest.settings import IngestSettings
from cli.sample.files import product_row
from cli.sample.products import Shop
from cli.sample.reviews import reviews
from cli.sample.visitors import Visitors
from cli.up.own_gateway import may_write
from cli.up.settings import UpSettings
from vitrine.client import Client
from vitrine.client.retries import unheard
from vitrine.errors import Internal
from vitrine.mapping import load_mapping
from vitrine.product_row import ProductRows
from vitrine.rows import Row

# Lies in the data folder while a fill is under way: what was cut off is not taken for somebody's catalogue.
_MARK = "sample-fill-unfinished"


async def fill_if_empty(
    data_dir: Path,
    products_kept: Callable[[], Awaitable[int]],
    target: str,
    settings: UpSettings,
    say: Callable[[str], None],
) -> None:
    """Fills the store behind `target` when `products_kept` says 0, or when a fill was cut off before.

    Raises what `Delivery.run` raises, and Internal when the catalogue refuses a sample product.
    """
    mark = data_dir / _MARK
    if not settings.sample_products or (await products_kept() and not mark.exists()):
        return
    if not may_write():
        say("the store is empty, and writes need a key: set VITRINE_CLIENT_API_KEY for the sample shop to be loaded")
        return
    _touch(mark)
    say(f"the store is empty: filling it with the sample shop, {settings.sample_products:,} products")
    began_at_s = monotonic()
    ingest = IngestSettings(target=target)
    for mapping, values in ((None, _products(settings)), (Path("reviews"), _reviews(settings))):
        rows = (Row(number, number, number, row) for number, row in enumerate(values, start=1))
        batches = batched(rows, ProductRows(load_mapping(mapping)), ingest)
        async with Client(target) as client:
            await Delivery(client, ingest, _settle, unheard).run(batches)
    mark.unlink()
    say(f"filled in {monotonic() - began_at_s:.0f} s")


def _touch(mark: Path) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _products(settings: UpSettings) -> Iterator[dict[str, Any]]:
    shop = Shop(settings.sample_products, settings.sample_seed)
    return (product_row(shop.product(index)) for index in range(shop.products))


def _reviews(settings: UpSettings) -> Iterator[dict[str, Any]]:
    """Those of the first products, which visitors of the sample shop turn to most."""
    shop = Shop(settings.sample_products, settings.sample_seed)
    visitors = Visitors(shop).count
    written = (row for index in range(shop.products) for row in reviews(shop, index, visitors))
    return islice(written, settings.sample_reviews)


def _settle(batch: Batch, outcomes: Outcomes) -> None:
    refused = [error for error in outcomes if error is not None]
    if refused or batch.refusals:
        reason = refused[0].message if refused else batch.refusals[0].reasons[0].description
        raise Internal(f"the catalogue refuses a product of the sample shop: {reason}")
