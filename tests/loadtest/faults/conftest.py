"""The gateway's shop and event store, for tests of what faults do to them."""

from tests.gateway.conftest import catalogue, embedder, open_catalogue, open_shop, ranker, shop_vectors
from tests.gateway.events.conftest import events_settings, raw, store_server

__all__ = [
    "catalogue",
    "embedder",
    "events_settings",
    "open_catalogue",
    "open_shop",
    "ranker",
    "raw",
    "shop_vectors",
    "store_server",
]
