"""Many fresh visitors and honest growth, over a real store."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from vitrine.deadline import Deadline
from vitrine.user_event import EventProduct, EventType, UserEvent

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


def event(
    visitor_id: str, product_id: str, kind: EventType = EventType.VIEW_ITEM, ago: timedelta = timedelta(0)
) -> UserEvent:
    products = (EventProduct(product_id, category="Shoes"),)
    number = f"{visitor_id}-{product_id}-{kind.value}-{ago}"
    return UserEvent(number, kind, visitor_id, event_time=NOW - ago, products=products, country_code="CN")


async def written(store: EventStore, *events: UserEvent) -> None:
    for start in range(0, len(events), 500):
        outcomes = await store.write(events[start : start + 500], deadline=Deadline.after(60))
        assert outcomes == [True] * len(outcomes)


async def weights(store: EventStore, limit: int = 100, **segment: str) -> dict[str, float]:
    found = await store.popular(limit, deadline=Deadline.after(60), **segment)
    return {one.product_id: one.weight for one in found}


async def test_ten_thousand_fresh_visitors_push_nothing_into_the_top_and_honest_growth_does(store: EventStore) -> None:
    known = [f"known{number}" for number in range(60)]
    await written(store, *(event(one, f"usual{number}", ago=3 * HOUR) for one in known for number in range(10)))
    usual = await weights(store)
    # All are fresh: of each product counts what fresh visitors may add alone.
    assert usual == {f"usual{number}": pytest.approx(20.0, rel=0.02) for number in range(10)}
    await written(
        store, *(event(one, f"usual{number}", EventType.ADD_TO_CART) for one in known for number in range(10))
    )
    assert min((await weights(store)).values()) > 130
    await written(store, *(event(f"bot{number}", "pushed", EventType.PURCHASE) for number in range(10_000)))
    honest = [f"new{number}" for number in range(100)]
    await written(store, *(event(one, "liked", EventType.PURCHASE) for one in (*known[:40], *honest)))
    for top in (await weights(store), await weights(store, category="Shoes"), await weights(store, country_code="CN")):
        assert top["pushed"] < 21
        assert list(top)[-1] == "pushed"
        # 40 known visitors, who bought, carry the 100 fresh ones.
        assert next(iter(top)) == "liked"
        assert top["liked"] == pytest.approx(140 * 5, rel=0.02)
    assert "pushed" not in [one.product_id for one in await store.trending(100, deadline=Deadline.after(60))]


async def test_a_visitor_is_known_after_a_while_whatever_the_order_of_arrival(store: EventStore) -> None:
    visits = [timedelta(days=2), timedelta(days=1), timedelta(0)]
    orders = {"forward": visits, "backward": visits[::-1]}
    for name, order in orders.items():
        visitors = [f"{name}{number}" for number in range(30)]
        await written(store, *(event(one, f"{name}-{ago.days}", ago=ago) for ago in order for one in visitors))
    counted = await weights(store)
    fade = {"0": 1.0, "1": 2 ** (-1 / 7), "2": 2 ** (-2 / 7)}
    # The first that is heard of a visitor is a fresh one's; all others count in full.
    expected = {
        f"{name}-{days}": (20 if order[0].days == int(days) else 30) * share
        for name, order in orders.items()
        for days, share in fade.items()
    }
    assert counted == pytest.approx(expected, rel=0.01)


async def test_the_defence_can_be_switched_off(events_settings: EventsSettings) -> None:
    store = EventStore(events_settings.model_copy(update={"fresh_minutes": 0.0}))
    await written(store, *(event(f"v{number}", "p") for number in range(50)))
    assert await weights(store) == {"p": pytest.approx(50.0, rel=0.01)}
    await store.close()
