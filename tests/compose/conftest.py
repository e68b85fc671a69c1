"""A small shop in the suite. `.ci/compose-test` builds the images and says by COMPOSE_FILE which files are meant."""

from collections.abc import Iterator

import grpc
import pytest

from cli.sample.products import Shop
from tests.compose.suite import TARGET, Client, up
from vitrine.product import Product


@pytest.fixture(scope="session")
def shop() -> list[Product]:
    """A hundred products of the sample shop, in both languages."""
    shop = Shop(products=100, seed=1)
    return [shop.product(index) for index in range(100)]


@pytest.fixture(scope="session")
def running(shop: list[Product]) -> None:
    """Brings the suite up as the README says, and fills it."""
    up()
    with grpc.insecure_channel(TARGET) as channel:
        Client(channel).upsert(shop)


@pytest.fixture
def client(running: None) -> Iterator[Client]:
    """A client with a connection of its own to a suite that is whole."""
    up()
    with grpc.insecure_channel(TARGET) as channel:
        yield Client(channel)
