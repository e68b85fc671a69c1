"""Tests of writing and reading products through the gateway, over the real engines."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from vitrine.deadline import Deadline
from vitrine.errors import InvalidArgument, NotFound, ResourceExhausted, Unavailable
from vitrine.offer import Offer
from vitrine.ports import InputType, ItemOutcome, Lane
from vitrine.product import Availability, Product, checked_product
from vitrine.product_digest import content_digest


def catalog_of(shop: Any) -> Any:
    return shop.gateway.api.catalog


def soon() -> Deadline:
    return Deadline.after(60)


def lamp(number: int, **fields: Any) -> Product:
    return replace(Product(id=f"lamp-{number}", title=f"Brass table lamp number {number}", brand="Lumora"), **fields)


async def test_what_is_acknowledged_is_found_at_once(own_shop: Any) -> None:
    written = await catalog_of(own_shop).upsert_products([lamp(1), lamp(2)], deadline=soon())
    assert [(outcome.id, outcome.error) for outcome in written.outcomes] == [("lamp-1", None), ("lamp-2", None)]
    answer = await own_shop.search("brass table lamp", page_size=2)
    assert {hit.product.id for hit in answer.hits} == {"lamp-1", "lamp-2"}
    assert answer.hits[0].product.revision == written.revision


async def test_products_are_embedded_as_documents_in_the_bulk_lane(own_shop: Any) -> None:
    await catalog_of(own_shop).upsert_products([lamp(number) for number in range(300)], deadline=soon())
    calls = [named for name, _, named in own_shop.embedder.calls if name == "embed"]
    assert len(calls) == 3
    assert {(named["input_type"], named["lane"]) for named in calls} == {(InputType.DOCUMENT, Lane.BULK)}


async def test_a_bad_product_fails_alone_by_its_field(own_shop: Any) -> None:
    items = [
        lamp(0),
        lamp(1, title=" "),
        ItemOutcome("lamp-2", InvalidArgument()),
        lamp(3, price=-1.0, currency_code="yuan"),
        lamp(4),
    ]
    written = await catalog_of(own_shop).upsert_products(items, deadline=soon())
    assert [outcome.id for outcome in written.outcomes] == [f"lamp-{number}" for number in range(5)]
    assert [outcome.error is None for outcome in written.outcomes] == [True, False, False, False, True]
    assert [v.field for v in written.outcomes[1].error.violations] == ["products[1].title"]
    assert {v.field for v in written.outcomes[3].error.violations} == {
        "products[3].price",
        "products[3].currency_code",
    }
    found = await own_shop.retriever.port.get_products([f"lamp-{number}" for number in range(5)], deadline=soon())
    assert found.missing_ids == ("lamp-1", "lamp-2", "lamp-3")


async def test_a_request_of_bad_products_only_is_answered(own_shop: Any) -> None:
    before = (await own_shop.retriever.port.get_index(deadline=soon())).revision
    written = await catalog_of(own_shop).upsert_products([lamp(1, title="")], deadline=soon())
    assert written.outcomes[0].error is not None
    assert written.revision == before


async def test_a_product_that_cannot_be_embedded_fails_alone(own_shop: Any) -> None:
    real = own_shop.embedder.port

    class Picky:
        async def embed(self, texts: Any, **named: Any) -> Any:
            found = await real.embed(texts, **named)
            items = tuple(
                replace(item, error=InvalidArgument()) if "number 1" in text else item
                for text, item in zip(texts, found.items, strict=True)
            )
            return replace(found, items=items)

    own_shop.embedder.port = Picky()
    written = await catalog_of(own_shop).upsert_products([lamp(0), lamp(1), lamp(2)], deadline=soon())
    assert [outcome.error is None for outcome in written.outcomes] == [True, False, True]
    answer = await own_shop.search("brass table lamp number 2", page_size=1)
    assert answer.hits[0].product.id == "lamp-2"


async def test_without_the_embedder_a_write_is_refused_whole(own_shop: Any) -> None:
    own_shop.embedder.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await catalog_of(own_shop).upsert_products([lamp(1)], deadline=soon())
    assert own_shop.retriever.count("upsert_products") == 0


async def test_without_the_retriever_a_write_is_refused_whole(own_shop: Any) -> None:
    own_shop.retriever.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await catalog_of(own_shop).upsert_products([lamp(1)], deadline=soon())


async def test_a_write_waits_its_turn_at_a_full_embedder(own_shop: Any) -> None:
    real = own_shop.embedder.port
    refusals = [ResourceExhausted("full", retry_after_s=0.001)] * 2

    class Full:
        async def embed(self, texts: Any, **named: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return await real.embed(texts, **named)

    own_shop.embedder.port = Full()
    written = await catalog_of(own_shop).upsert_products([lamp(1)], deadline=soon())
    assert written.outcomes[0].error is None


async def test_a_write_does_not_wait_beyond_its_deadline(own_shop: Any) -> None:
    own_shop.embedder.error = ResourceExhausted("full", retry_after_s=100.0)
    with pytest.raises(ResourceExhausted):
        await catalog_of(own_shop).upsert_products([lamp(1)], deadline=soon())


async def test_writes_above_the_limit_are_refused_at_the_door(open_shop: Any) -> None:
    """server#8597"""
    shop = await open_shop(own_catalogue=True, max_writes=2)
    shop.embedder.hanging = True
    writes = [asyncio.create_task(catalog_of(shop).upsert_products([lamp(n)], deadline=soon())) for n in range(2)]
    await shop.embedder.until(lambda: shop.embedder.count("embed") == 2)
    with pytest.raises(ResourceExhausted, match="2 writes are in flight"):
        await catalog_of(shop).upsert_products([lamp(3)], deadline=soon())
    for write in writes:
        write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)


@pytest.mark.parametrize("count", [0, 501])
async def test_a_request_of_no_or_too_many_products_is_refused(shop: Any, count: int) -> None:
    with pytest.raises(InvalidArgument, match=f"products: has {count} entries; give 1 to 500"):
        await catalog_of(shop).upsert_products([lamp(number) for number in range(count)], deadline=soon())


async def test_an_update_replaces_the_product(own_shop: Any) -> None:
    """faiss#508"""
    for title in ("Brass table lamp", "Oak bookshelf"):
        await catalog_of(own_shop).upsert_products([lamp(7, title=title)], deadline=soon())
    product = await catalog_of(own_shop).get_product("lamp-7", deadline=soon())
    assert product.title == "Oak bookshelf"
    answer = await own_shop.search("oak bookshelf", page_size=100)
    assert [hit.product.id for hit in answer.hits].count("lamp-7") == 1


async def test_deleted_products_are_gone_at_once(own_shop: Any) -> None:
    catalog = catalog_of(own_shop)
    written = await catalog.delete_products(["p000", "nobody"], deadline=soon())
    assert written.outcomes[0] == ItemOutcome("p000")
    assert isinstance(written.outcomes[1].error, NotFound)
    with pytest.raises(NotFound, match="p000"):
        await catalog.get_product("p000", deadline=soon())


async def test_a_product_is_read_with_its_description(shop: Any) -> None:
    product = await catalog_of(shop).get_product("p001", deadline=soon())
    assert product.description == "Description of product 1."


@pytest.mark.parametrize("product_id", ["", "two words", "x" * 129])
async def test_a_wrong_id_is_named(shop: Any, product_id: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^id: "):
        await catalog_of(shop).get_product(product_id, deadline=soon())


@pytest.mark.parametrize("count", [0, 1_001])
async def test_deleting_none_or_too_many_is_refused(shop: Any, count: int) -> None:
    with pytest.raises(InvalidArgument, match=f"ids: has {count} entries"):
        await catalog_of(shop).delete_products(["x"] * count, deadline=soon())


async def test_words_that_stayed_are_not_embedded_anew(own_shop: Any) -> None:
    catalog = catalog_of(own_shop)
    await catalog.upsert_products([lamp(number) for number in range(4)], deadline=soon())
    own_shop.embedder.calls.clear()
    again = [lamp(0, price=5.0, currency_code="EUR"), lamp(1, title="Oak bookshelf"), lamp(2, image_uris=("http://a",))]
    written = await catalog.upsert_products([*again, lamp(9)], deadline=soon())
    assert [outcome.error for outcome in written.outcomes] == [None] * 4
    (call,) = [given for name, given, _ in own_shop.embedder.calls if name == "embed"]
    assert list(call[0]) == ["lumora oak bookshelf", "lumora brass table lamp number 9"]
    assert (await catalog.get_product("lamp-0", deadline=soon())).price == 5.0
    answer = await own_shop.search("oak bookshelf", page_size=1)
    assert answer.hits[0].product.id == "lamp-1"
    own_shop.embedder.error = Unavailable("away")
    written = await catalog.upsert_products([lamp(0, price=6.0, currency_code="EUR")], deadline=soon())
    assert written.outcomes == (ItemOutcome("lamp-0"),)


async def test_words_that_another_write_changed_meanwhile_are_embedded_after_all(own_shop: Any) -> None:
    catalog = catalog_of(own_shop)
    await catalog.upsert_products([lamp(0), lamp(1)], deadline=soon())
    real = own_shop.retriever.port

    class Raced:
        async def get_products(self, ids: Any, **named: Any) -> Any:
            found = await real.get_products(ids, **named)
            own_shop.retriever.port = real
            await catalog.upsert_products([lamp(0, title="Oak bookshelf")], deadline=soon())
            return found

    own_shop.retriever.port = Raced()
    own_shop.embedder.calls.clear()
    written = await catalog.upsert_products([lamp(0), lamp(1)], deadline=soon())
    assert [outcome.error for outcome in written.outcomes] == [None, None]
    texts = [list(given[0]) for name, given, _ in own_shop.embedder.calls if name == "embed"]
    assert texts == [["lumora oak bookshelf"], ["lumora brass table lamp number 0"]]
    answer = await own_shop.search("brass table lamp number 0", page_size=1)
    assert answer.hits[0].product.id == "lamp-0"


async def test_products_that_cannot_be_embedded_all_fail_alone(own_shop: Any) -> None:
    real = own_shop.embedder.port

    class Never:
        async def embed(self, texts: Any, **named: Any) -> Any:
            found = await real.embed(texts, **named)
            return replace(found, items=tuple(replace(item, error=InvalidArgument()) for item in found.items))

    own_shop.embedder.port = Never()
    before = (await own_shop.retriever.port.get_index(deadline=soon())).revision
    written = await catalog_of(own_shop).upsert_products([lamp(0), lamp(1)], deadline=soon())
    assert all(isinstance(outcome.error, InvalidArgument) for outcome in written.outcomes)
    assert written.revision == before


async def test_offers_change_prices_and_stock_without_the_embedder(own_shop: Any) -> None:
    catalog = catalog_of(own_shop)
    await catalog.upsert_products([lamp(0, price=5.0, currency_code="EUR"), lamp(1)], deadline=soon())
    own_shop.embedder.error = Unavailable("away")
    offers = [
        Offer("lamp-0", price=4.0, original_price=5.0, availability=Availability.OUT_OF_STOCK),
        ItemOutcome("lamp-1", InvalidArgument()),
        Offer("nobody", price=1.0, currency_code="EUR"),
        Offer("lamp-1", price=-1.0, currency_code="EUR"),
    ]
    written = await catalog.update_offers(offers, deadline=soon())
    assert [outcome.id for outcome in written.outcomes] == ["lamp-0", "lamp-1", "nobody", "lamp-1"]
    first, second, third, fourth = (outcome.error for outcome in written.outcomes)
    assert (first, type(second), type(third)) == (None, InvalidArgument, NotFound)
    assert [violation.field for violation in fourth.violations] == ["offers[3].price"]
    kept = await catalog.get_product("lamp-0", deadline=soon())
    assert (kept.price, kept.original_price, kept.currency_code) == (4.0, 5.0, "EUR")
    assert (kept.availability, kept.revision) == (Availability.OUT_OF_STOCK, written.revision)
    nothing = await catalog.update_offers([ItemOutcome("x", InvalidArgument())], deadline=soon())
    assert nothing.revision == written.revision


@pytest.mark.parametrize("count", [0, 1_001])
async def test_no_or_too_many_offers_are_refused(shop: Any, count: int) -> None:
    with pytest.raises(InvalidArgument, match=f"offers: has {count} entries; give 1 to 1000"):
        await catalog_of(shop).update_offers([Offer("x")] * count, deadline=soon())


async def test_digests_of_all_products_are_listed(own_shop: Any) -> None:
    catalog = catalog_of(own_shop)
    await catalog.upsert_products([lamp(0, attributes={"height_cm": (40,)})], deadline=soon())
    token, digests = "", {}
    while True:
        page = await catalog.list_product_digests(token, 100, deadline=soon())
        digests |= dict(page.digests)
        if not (token := page.next_page_token):
            break
    assert digests["lamp-0"] == content_digest(checked_product(lamp(0, attributes={"height_cm": (40,)})))
    assert len(digests) == (await own_shop.retriever.port.get_index(deadline=soon())).products
    with pytest.raises(InvalidArgument, match="page_size: is 10001"):
        await catalog.list_product_digests("", 10_001, deadline=soon())
