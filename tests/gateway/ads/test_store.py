"""Campaigns and ledger over a real Valkey, which is killed; days go by a clock that the test sets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis.asyncio

from gateway.ads.campaign import Campaign, SponsoredProduct
from gateway.ads.keys import AdKeys
from gateway.ads.ledger import Accounted, AdLedger
from gateway.ads.settings import AdsSettings
from gateway.ads.store import CampaignStore, KeptCampaign
from gateway.ads.token import AdToken, TokenFault, product_digest, sealed
from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from tests.gateway.events.conftest import StoreServer
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from vitrine.user_event import EventProduct, EventType, UserEvent, visitor_digest


def in_time() -> Deadline:
    return Deadline.after(60)


def campaign(campaign_id: str = "c", budget: float = 10.0, **fields: Any) -> Campaign:
    products = (SponsoredProduct("p1", 0.5), SponsoredProduct("p2", 2.0))
    return Campaign(
        **{"id": campaign_id, "currency_code": "CNY", "products": products, "daily_budget": budget, **fields}
    )


class Books:
    """Campaigns and ledger of one store, at a time that the test sets."""

    def __init__(self, settings: EventsSettings, **ads: Any) -> None:
        self.now = datetime.now(UTC)
        self.events = EventStore(settings)
        keys, chosen = AdKeys(settings.prefix), AdsSettings(**ads)
        self.store = CampaignStore(self.events.connection, keys, chosen.max_products)
        self.ledger = AdLedger(self.events.connection, keys, self.store, chosen, lambda: self.now)
        self._tokens = 0

    async def write(self, *campaigns: Campaign) -> list[Any]:
        return await self.store.upsert(campaigns, deadline=in_time())

    async def kept(self, campaign_id: str = "c") -> KeptCampaign:
        found = await self.store.read(deadline=in_time())
        return next(one for one in found.all if one.campaign.id == campaign_id)

    async def token(self, price: int, product_id: str = "p1", visitor_id: str = "ana", answer_id: str = "") -> str:
        self._tokens += 1
        kept, state = await self.kept(), await self.ledger.state(deadline=in_time())
        token = AdToken(
            answer_id=answer_id or f"answer{self._tokens}",
            serial=kept.serial,
            product=product_digest(product_id),
            price=price,
            expected_clicks=0.25,
            expire_time=self.now + timedelta(hours=24),
        )
        return sealed(token, visitor_id, state.key)

    def event(self, token: str, kind: EventType = EventType.AD_CLICK, **fields: Any) -> UserEvent:
        given = {"event_id": "e", "visitor_id": "ana", "products": (EventProduct("p1"),), **fields}
        return UserEvent(event_type=kind, event_time=self.now, attribution_token=token, **given)

    async def account(self, *events: UserEvent) -> list[Any]:
        return await self.ledger.account(events, deadline=in_time())

    async def click(self, price: int, **fields: Any) -> Any:
        """Accounts a click on an ad of an answer of its own."""
        visitor_id = fields.get("visitor_id", "ana")
        return (await self.account(self.event(await self.token(price, visitor_id=visitor_id), **fields)))[0]

    async def spent(self, campaign_id: str = "c") -> float:
        (spend,) = await self.ledger.spends([await self.kept(campaign_id)], deadline=in_time())
        return spend.spent_today


@pytest.fixture
async def books(events_settings: EventsSettings) -> AsyncIterator[Books]:
    """An empty store."""
    opened = Books(events_settings)
    yield opened
    await opened.events.close()


async def test_campaigns_are_read_as_written_by_id_and_seen_at_once_by_others(
    books: Books, events_settings: EventsSettings
) -> None:
    other = Books(events_settings)
    assert not (await other.store.read(deadline=in_time())).all
    assert await books.write(campaign("b"), campaign("a", name="春", paused=True)) == [None, None]
    assert [one.campaign for one in (await other.store.read(deadline=in_time())).all] == [
        campaign("a", name="春", paused=True),
        campaign("b"),
    ]
    assert await books.write(campaign("b", budget=20.0)) == [None]
    assert (await other.kept("b")).daily_budget == 2_000
    assert await books.store.delete(["b", "none"], deadline=in_time()) == [True, False]
    assert [one.campaign.id for one in (await other.store.read(deadline=in_time())).all] == ["a"]
    await other.events.close()


async def test_a_new_version_keeps_what_was_spent_and_its_currency(books: Books) -> None:
    await books.write(campaign())
    assert await books.click(40) == Accounted("counted", 40)
    serial = (await books.kept()).serial
    await books.write(campaign(budget=1.0, paused=True))
    assert ((await books.kept()).serial, await books.spent()) == (serial, 0.4)
    # Of the new budget 60 are left.
    assert await books.click(99) == Accounted("counted", 60)
    (fault,) = await books.write(campaign(currency_code="EUR"))
    assert isinstance(fault, InvalidArgument)
    assert "CNY" in str(fault)
    assert (await books.kept()).campaign.currency_code == "CNY"


async def test_a_deleted_campaign_is_charged_no_more_even_under_its_old_id(books: Books) -> None:
    await books.write(campaign())
    token = await books.token(40)
    assert await books.click(30) == Accounted("counted", 30)
    await books.store.delete(["c"], deadline=in_time())
    assert await books.account(books.event(token)) == [Accounted("deleted")]
    await books.write(campaign())
    assert await books.account(books.event(token)) == [Accounted("deleted")]
    assert await books.spent() == 0.0


async def test_products_of_all_campaigns_are_bounded(events_settings: EventsSettings) -> None:
    books = Books(events_settings, max_products=4)
    outcomes = await books.write(campaign("a"), campaign("b"), campaign("c"))
    assert [type(one) for one in outcomes] == [type(None), type(None), ResourceExhausted]
    # A new version counts anew, and a deleted one no more.
    assert await books.write(campaign("a", products=(SponsoredProduct("p1", 1.0),))) == [None]
    await books.store.delete(["b"], deadline=in_time())
    assert await books.write(campaign("c")) == [None]
    await books.events.close()


async def test_a_token_is_charged_once_however_often_and_however_it_is_sent(books: Books) -> None:
    await books.write(campaign())
    token = await books.token(40)
    click = books.event(token)
    assert await books.account(click, click, books.event(token, event_id="other")) == [
        Accounted("counted", 40),
        Accounted("repeated"),
        Accounted("repeated"),
    ]
    books.now += timedelta(hours=23)
    assert await books.account(click) == [Accounted("repeated")]
    # A token's text can be written in more ways than one: it is its content that counts.
    assert await books.account(books.event(token + "=")) == [Accounted("repeated")]
    (spend,) = await books.ledger.spends([await books.kept()], deadline=in_time())
    assert (spend.spent, spend.clicks, spend.impressions) == (0.4, 1, 1)


async def test_what_is_not_what_was_promised_is_not_charged(books: Books) -> None:
    await books.write(campaign())
    token = await books.token(40)
    head, _, packed = token.rpartition(".")
    assert await books.account(
        books.event(f"{head}.{packed[::-1]}"),
        books.event("no token"),
        books.event(token, visitor_id="ben"),
        books.event(token, products=(EventProduct("p2"),)),
    ) == [TokenFault.FORGED] * 3 + [Accounted("other_product")]
    books.now += timedelta(hours=24)
    assert await books.account(books.event(token)) == [TokenFault.EXPIRED]
    assert await books.spent() == 0.0


async def test_the_last_click_costs_what_is_left_and_later_ones_nothing(books: Books) -> None:
    await books.write(campaign(budget=1.0))
    assert [await books.click(40, visitor_id=f"v{n}") for n in range(4)] == [
        Accounted("counted", 40),
        Accounted("counted", 40),
        Accounted("counted", 20),
        Accounted("spent"),
    ]
    assert await books.spent() == 1.0
    books.now += timedelta(days=1)
    assert await books.spent() == 0.0
    assert await books.click(40) == Accounted("counted", 40)
    (spend,) = await books.ledger.spends([await books.kept()], deadline=in_time())
    assert (spend.spent, spend.clicks, spend.clicks_today) == (1.4, 5, 1)


async def test_64_clicks_at_once_spend_the_budget_and_no_more(books: Books) -> None:
    await books.write(campaign(budget=1.0))
    events = [books.event(await books.token(7, visitor_id=f"v{n}"), visitor_id=f"v{n}") for n in range(64)]
    outcomes = [one for found in await asyncio.gather(*map(books.account, events)) for one in found]
    assert sorted(one.charged for one in outcomes) == [0] * 49 + [2] + [7] * 14
    assert await books.spent() == 1.0


async def test_a_visitors_clicks_and_impressions_count_so_often_a_day(books: Books) -> None:
    """3 clicks a day are charged; of impressions, all keep the product from the visitor, and 5 make its click rate."""
    await books.write(campaign(budget=100.0))
    names = [(await books.click(10)).outcome for _ in range(5)]
    assert names == ["counted"] * 3 + ["capped"] * 2
    for _ in range(2):
        await books.account(books.event(await books.token(10), EventType.AD_IMPRESSION))
    (spend,) = await books.ledger.spends([await books.kept()], deadline=in_time())
    assert (spend.clicks, spend.impressions, spend.spent) == (3, 5, 0.3)
    assert (await books.click(10, visitor_id="ben")).outcome == "counted"
    books.now += timedelta(days=1)
    assert (await books.click(10)).outcome == "counted"
    shown = await books.ledger.shown([((await books.kept()).serial, "p1")], deadline=in_time())
    ((by_campaign, by_product),) = shown.values()
    assert by_campaign == by_product
    assert (by_product.clicks, by_product.expected) == (5, pytest.approx(7 * 0.25))


async def test_answers_given_at_once_show_an_ad_no_more_often_than_allowed(books: Books) -> None:
    await books.write(campaign(daily_impressions_per_visitor=3))
    serial = (await books.kept()).serial

    async def taken(visitor_id: str, answer_id: str) -> list[str]:
        ads = [(serial, "p1"), (serial, "p2")]
        return await books.ledger.reserve(ads, 1, visitor_id, answer_id, deadline=in_time())

    outcomes = await asyncio.gather(*(taken("ana", f"a{n}") for n in range(64)))
    assert sum(one == ["taken", "left"] for one in outcomes) == 3
    assert sum(one == ["refused", "taken"] for one in outcomes) == 3
    assert sum(one == ["refused", "refused"] for one in outcomes) == 58
    assert await taken("ben", "b") == ["taken", "left"]
    assert [await taken("", f"unknown{n}") for n in range(4)] == [["taken", "left"]] * 4
    # What is not reported as seen is free again in a while; what is, not before tomorrow.
    answer_id = next(f"a{n}" for n, one in enumerate(outcomes) if one == ["taken", "left"])
    await books.account(books.event(await books.token(1, answer_id=answer_id), EventType.AD_IMPRESSION))
    books.now += timedelta(seconds=31)
    assert [(await taken("ana", f"later{n}"))[0] for n in range(3)] == ["taken", "taken", "refused"]
    books.now += timedelta(days=1)
    assert (await taken("ana", "tomorrow"))[0] == "taken"


async def test_a_campaign_without_budget_is_refused_at_once(books: Books) -> None:
    await books.write(campaign(budget=0.4))
    serial = (await books.kept()).serial
    ads = [(serial, "p1"), (serial + 1, "p2")]
    assert await books.ledger.reserve(ads, 2, "", "a", deadline=in_time()) == ["taken", "refused"]
    await books.click(40)
    assert await books.ledger.reserve(ads, 2, "", "a", deadline=in_time()) == ["refused", "refused"]
    await books.write(campaign(budget=0.5))
    assert await books.ledger.reserve(ads, 2, "", "a", deadline=in_time()) == ["taken", "refused"]


async def test_one_product_of_two_campaigns_is_taken_once(books: Books) -> None:
    await books.write(campaign("c"), campaign("d"))
    ads = [((await books.kept("c")).serial, "p1"), ((await books.kept("d")).serial, "p1")]
    assert await books.ledger.reserve(ads, 2, "", "a", deadline=in_time()) == ["taken", "left"]


async def test_calls_are_counted_by_hour_for_tomorrow(books: Books) -> None:
    for _ in range(3):
        await books.ledger.reserve([], 5, "", "a", deadline=in_time())
    hour = books.now.hour
    books.now += timedelta(days=1)
    assert (await books.ledger.state(deadline=in_time())).calls_yesterday == {hour: 3}


async def test_an_erased_visitor_leaves_no_trace_of_ads(books: Books, raw: "redis.asyncio.Redis") -> None:
    await books.write(campaign())
    serial = (await books.kept()).serial
    await books.ledger.reserve([(serial, "p1")], 1, "ana", "a", deadline=in_time())
    await books.click(10)
    keys = f"*{visitor_digest('ana').hex()}*"
    assert len([key async for key in raw.scan_iter(match=keys)]) == 2
    late = books.event(await books.token(10))
    await books.events.delete_visitor("ana", deadline=in_time())
    assert [key async for key in raw.scan_iter(match=keys)] == []
    # A click from before the erasure that comes after it begins no new record.
    assert await books.account(late) == [Accounted("erased")]
    assert [key async for key in raw.scan_iter(match=keys)] == []


async def test_what_is_kept_of_a_visitor_ends_with_the_day(books: Books, raw: "redis.asyncio.Redis") -> None:
    await books.write(campaign())
    await books.click(10)
    (key,) = [key async for key in raw.scan_iter(match=f"*{visitor_digest('ana').hex()}*")]
    midnight = datetime(books.now.year, books.now.month, books.now.day, tzinfo=UTC) + timedelta(days=1)
    assert await raw.expiretime(key) == int(midnight.timestamp())


async def test_nothing_charged_is_lost_when_the_store_is_killed(books: Books, store_server: StoreServer) -> None:
    """Four callers, the store killed in their midst; what was not acknowledged is sent again and is charged once."""
    await books.write(campaign(budget=1_000.0))
    tokens = [[(f"v{n}", await books.token(7, visitor_id=f"v{n}")) for n in range(k, 60, 4)] for k in range(4)]
    done, half = 0, asyncio.Event()

    async def send(mine: list[tuple[str, str]]) -> None:
        nonlocal done
        for visitor_id, token in mine:
            while True:
                try:
                    (outcome,) = await books.account(books.event(token, visitor_id=visitor_id))
                    break
                except Unavailable:
                    await store_server.restarts()
            assert outcome in (Accounted("counted", 7), Accounted("repeated"))
            done += 1
            if done >= 20:
                half.set()

    async def kill() -> None:
        await half.wait()
        store_server.kill()
        await store_server.restarts()

    await asyncio.gather(kill(), *map(send, tokens))
    store_server.kill()
    await store_server.restarts()
    assert await books.spent() == pytest.approx(60 * 0.07)


async def test_a_store_that_may_forget_takes_no_campaign(books: Books, raw: "redis.asyncio.Redis") -> None:
    await raw.config_set("appendonly", "no")
    try:
        with pytest.raises(FailedPrecondition, match="append-only"):
            await books.write(campaign())
        with pytest.raises(FailedPrecondition, match="append-only"):
            await books.ledger.state(deadline=in_time())
    finally:
        await raw.config_set("appendonly", "yes")
    assert await books.write(campaign()) == [None]
