"""Offers, digests and kept vectors: what changes of a catalogue without a vector being made anew."""

from typing import Any

import numpy as np
import pytest

from vitrine.channel import call
from vitrine.errors import FailedPrecondition, InvalidArgument, NotFound
from vitrine.offer import Offer
from vitrine.ports import KEEP_VECTOR, Retriever
from vitrine.product import Availability, ProductKind, checked_product
from vitrine.product_digest import content_digest
from vitrine.v1 import retriever_service_pb2 as pb


async def _product(retriever: Retriever, product_id: str, shop: Any) -> Any:
    found = await retriever.get_products([product_id], deadline=shop.deadline(), with_description=True)
    return found.products[0]


async def _digests(retriever: Retriever, page_size: int, shop: Any) -> dict[str, bytes]:
    token, found = "", []
    while True:
        page = await retriever.list_product_digests(token, page_size, deadline=shop.deadline())
        found += page.digests
        assert len(page.digests) <= page_size
        if not (token := page.next_page_token):
            assert len(dict(found)) == len(found)
            return dict(found)


async def test_an_offer_changes_price_and_availability_alone(retriever: Retriever, shop: Any) -> None:
    vectors = shop.vectors(2)
    long = "water resistant " * 40
    products = [shop.product(n, description=long, attributes={"color": ("red",)}) for n in (1, 2)]
    await shop.fill(retriever, products, vectors)
    before = await _product(retriever, "p00001", shop)
    offer = Offer("p00001", price=0.5, original_price=2.0, availability=Availability.PREORDER)
    written = await retriever.update_offers([offer], deadline=shop.deadline())
    assert [(outcome.id, outcome.error) for outcome in written.outcomes] == [("p00001", None)]
    after = await _product(retriever, "p00001", shop)
    assert (after.price, after.original_price, after.currency_code) == (0.5, 2.0, "EUR")
    assert after.availability is Availability.PREORDER
    assert (after.title, after.description, after.attributes) == (before.title, before.description, before.attributes)
    assert after.update_time == before.update_time
    assert after.revision == written.revision > before.revision
    # Found as before by words and by the same vector, and by its new price alone.
    found = await shop.search(retriever, text="water resistant", vector=vectors[0])
    assert found.candidates[0].product_id == "p00001"
    assert await shop.found(retriever, text="smart", filter=shop.filter(max_price=0.6)) == ["p00001"]
    assert await shop.found(retriever, text="smart", filter=shop.filter(min_price=0.9, max_price=1.1)) == []
    assert await shop.found(
        retriever, vector=vectors[0], filter=shop.filter(availabilities=(Availability.PREORDER,))
    ) == ["p00001"]


async def test_an_offer_without_a_price_takes_it_away(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [shop.product(1)], shop.vectors(1))
    await retriever.update_offers([Offer("p00001")], deadline=shop.deadline())
    product = await _product(retriever, "p00001", shop)
    assert (product.price, product.currency_code, product.availability) == (None, "", Availability.IN_STOCK)


async def test_an_offer_of_stock_alone_keeps_the_price(retriever: Retriever, shop: Any) -> None:
    prices = {"price": 5.0, "original_price": 7.0, "currency_code": "EUR"}
    await shop.fill(retriever, [shop.product(1, **prices), shop.product(2, **prices)], shop.vectors(2))
    gone = Availability.OUT_OF_STOCK
    offers = [
        Offer("p00001", availability=gone, keep_price=True),
        Offer("p00002", price=3.0),
        # Of an id given twice the last one counts, which keeps the price of the one before it.
        Offer("p00002", availability=gone, keep_price=True),
    ]
    written = await retriever.update_offers(offers, deadline=shop.deadline())
    assert [outcome.error for outcome in written.outcomes] == [None] * 3
    found = [await _product(retriever, product_id, shop) for product_id in ("p00001", "p00002")]
    assert [(one.price, one.original_price, one.availability) for one in found] == [(5.0, 7.0, gone), (3.0, None, gone)]
    again = await retriever.update_offers(offers[:1], deadline=shop.deadline())
    assert again.revision == written.revision


@pytest.mark.parametrize("given", [{"price": 1.0}, {"original_price": 2.0}, {"currency_code": "EUR"}])
async def test_a_price_beside_keep_price_is_refused(retriever: Retriever, shop: Any, given: Any) -> None:
    await shop.fill(retriever, [shop.product(1)], shop.vectors(1))
    offers = [Offer("p00001", price=2.0), Offer("p00001", keep_price=True, **given)]
    *_, outcome = (await retriever.update_offers(offers, deadline=shop.deadline())).outcomes
    assert isinstance(outcome.error, InvalidArgument)
    assert outcome.error.violations[0].field == "keep_price"


async def test_each_offer_has_its_own_outcome(retriever: Retriever, shop: Any) -> None:
    review = shop.product(3, kind=ProductKind.REVIEW, price=None, currency_code="", about_product_ids=("p00001",))
    await shop.fill(
        retriever, [shop.product(1), shop.product(2, price=None, currency_code=""), review], shop.vectors(3)
    )
    offers = [
        Offer("p00001", price=5.0),
        Offer("p00404", price=5.0),
        Offer("p00002", price=5.0),
        Offer("p00003", price=5.0, currency_code="EUR"),
        Offer("p00002", price=-1.0, currency_code="EUR"),
    ]
    written = await retriever.update_offers(offers, deadline=shop.deadline())
    first, second, _, fourth, last = (outcome.error for outcome in written.outcomes)
    assert first is None
    assert isinstance(second, NotFound)
    assert isinstance(fourth, InvalidArgument)
    assert fourth.violations[0].field == "price"
    # Of an id given twice the last one counts.
    assert isinstance(last, InvalidArgument)
    assert (await _product(retriever, "p00001", shop)).price == 5.0
    assert (await _product(retriever, "p00002", shop)).price is None


async def test_an_offer_that_changes_nothing_writes_nothing(retriever: Retriever, shop: Any) -> None:
    written = await shop.fill(retriever, [shop.product(1)], shop.vectors(1))
    again = await retriever.update_offers([Offer("p00001", price=1.0)], deadline=shop.deadline())
    assert again.revision == written.revision
    assert [outcome.error for outcome in again.outcomes] == [None]


@pytest.mark.parametrize("count", [0, 1_001])
async def test_too_many_offers_are_refused(retriever: Retriever, shop: Any, count: int) -> None:
    with pytest.raises(InvalidArgument, match="offers"):
        await retriever.update_offers([Offer("p00001")] * count, deadline=shop.deadline())


async def test_digests_are_those_of_what_was_sent(retriever: Retriever, shop: Any) -> None:
    products = [shop.product(n, attributes={"weight_g": (45,), "color": ("red", "black")}) for n in range(23)]
    assert await _digests(retriever, 5, shop) == {}
    await shop.fill(retriever, products, shop.vectors(23))
    sent = {product.id: content_digest(checked_product(product)) for product in products}
    assert await _digests(retriever, 5, shop) == await _digests(retriever, 10_000, shop) == sent
    await retriever.update_offers([Offer("p00004", price=1.0)], deadline=shop.deadline())
    await retriever.delete_products(["p00005"], deadline=shop.deadline())
    sent["p00004"] = content_digest(checked_product(shop.product(4, price=1.0, attributes=products[4].attributes)))
    del sent["p00005"]
    assert await _digests(retriever, 23, shop) == sent


async def test_a_list_of_digests_is_whole_while_the_catalogue_changes(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [shop.product(n) for n in range(20)], shop.vectors(20))
    token, found = "", []
    for turn in range(4):
        page = await retriever.list_product_digests(token, 5, deadline=shop.deadline())
        token, found = page.next_page_token, [*found, *(product_id for product_id, _ in page.digests)]
        # What was listed already changes, and what was not.
        await shop.fill(
            retriever, [shop.product(turn, price=99.0), shop.product(19 - turn, price=99.0)], shop.vectors(2)
        )
    assert token == ""
    assert found == [f"p{n:05}" for n in range(20)]


@pytest.mark.parametrize(
    ("token", "size", "field"), [("", 0, "page_size"), ("", 10_001, "page_size"), ("%%", 5, "page_token")]
)
async def test_a_wrong_page_is_refused(retriever: Retriever, shop: Any, token: str, size: int, field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await retriever.list_product_digests(token, size, deadline=shop.deadline())
    assert refusal.value.violations[0].field == field


async def test_a_product_keeps_its_vector_while_its_words_stay(retriever: Retriever, shop: Any) -> None:
    vectors = shop.vectors(4)
    await shop.fill(retriever, [shop.product(1), shop.product(2)], vectors[:2])
    products = [
        shop.product(1, attributes={"color": ("red",)}),
        shop.product(2, title="other words"),
        shop.product(3),
        shop.product(4),
    ]
    written = await retriever.upsert_products(
        products,
        vectors[2:3],
        model_digest=shop.DIGEST,
        deadline=shop.deadline(),
        vector_index=[KEEP_VECTOR, KEEP_VECTOR, 0, KEEP_VECTOR],
    )
    kept, changed, sent, unknown = (outcome.error for outcome in written.outcomes)
    assert kept is None
    assert sent is None
    for error in (changed, unknown):
        assert isinstance(error, FailedPrecondition)
        assert error.reason == "TEXT_CHANGED"
    assert (await _product(retriever, "p00001", shop)).attributes == {"color": ("red",)}
    assert (await _product(retriever, "p00002", shop)).title != "other words"
    for product_id, vector in (("p00001", vectors[0]), ("p00003", vectors[2])):
        best = (await shop.search(retriever, vector=vector)).candidates[0]
        assert best.product_id == product_id
        assert best.score == pytest.approx(1.0, abs=1e-3)


async def test_every_product_may_keep_its_vector(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [shop.product(1)], shop.vectors(1))
    none = np.empty((0, 0), np.float32)
    written = await retriever.upsert_products(
        [shop.product(1, price=77.0)], none, model_digest=shop.DIGEST, deadline=shop.deadline(), vector_index=[-1]
    )
    assert [outcome.error for outcome in written.outcomes] == [None]
    assert await shop.found(retriever, vector=shop.vectors(1)[0], filter=shop.filter(min_price=76.0)) == ["p00001"]
    with pytest.raises(FailedPrecondition, match=shop.OTHER_DIGEST):
        await retriever.upsert_products(
            [shop.product(1)], none, model_digest=shop.OTHER_DIGEST, deadline=shop.deadline(), vector_index=[-1]
        )


@pytest.mark.parametrize("index", [[0, 2], [-2, 0], [0]])
async def test_a_vector_index_names_rows_that_are_there(retriever: Retriever, shop: Any, index: list[int]) -> None:
    with pytest.raises(InvalidArgument, match="vector_index"):
        await retriever.upsert_products(
            [shop.product(1), shop.product(2)],
            shop.vectors(2),
            model_digest=shop.DIGEST,
            deadline=shop.deadline(),
            vector_index=index,
        )


async def test_an_offer_of_an_unknown_state_fails_alone(engine: Any, serve_engine: Any, shop: Any) -> None:
    client = await serve_engine(engine)
    await shop.fill(engine, [shop.product(1)], shop.vectors(1))
    offers = [pb.Offer(id="p00001", price=3.0, availability=77), pb.Offer(id="p00001", price=4.0)]  # type: ignore[arg-type]
    request = pb.RetrieverServiceUpdateOffersRequest(offers=offers)
    answer = await call(client._stub.UpdateOffers, request, deadline=shop.deadline())
    assert [bool(outcome.status.code) for outcome in answer.outcomes] == [True, False]
    assert (await _product(engine, "p00001", shop)).price == 4.0
    wrong = pb.RetrieverServiceUpdateOffersRequest(offers=offers[:1])
    answer = await call(client._stub.UpdateOffers, wrong, deadline=shop.deadline())
    assert answer.revision == (await engine.get_index(deadline=shop.deadline())).revision
