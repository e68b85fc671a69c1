"""A campaign's rules, and that it is kept as it is."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.ads.campaign import Campaign, SponsoredProduct, checked_campaign, packed_campaign, unpacked_campaign
from vitrine.errors import InvalidArgument

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def campaign(**fields: Any) -> Campaign:
    products = (SponsoredProduct("p1", 0.5),)
    return Campaign(**{"id": "c", "currency_code": "CNY", "daily_budget": 10.0, "products": products, **fields})


def test_it_is_kept_as_it_is() -> None:
    full = campaign(
        name="春季 Sale",
        products=(SponsoredProduct("p1", 0.29), SponsoredProduct("p2", 12.0)),
        daily_impressions_per_visitor=3,
        start_time=NOW,
        end_time=NOW + timedelta(days=9, milliseconds=5),
        paused=True,
    )
    assert unpacked_campaign(packed_campaign(checked_campaign(full))) == full
    assert unpacked_campaign(packed_campaign(campaign())) == campaign()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"id": ""}, ["id"]),
        ({"id": "a b"}, ["id"]),
        ({"name": "n" * 257}, ["name"]),
        ({"currency_code": "yuan"}, ["currency_code"]),
        ({"daily_budget": 0.0}, ["daily_budget"]),
        ({"daily_budget": math.inf}, ["daily_budget"]),
        ({"daily_budget": 0.001}, ["daily_budget"]),
        ({"daily_budget": 1e12}, ["daily_budget"]),
        ({"products": ()}, ["products"]),
        ({"products": tuple(SponsoredProduct(f"p{n}", 1) for n in range(1_001))}, ["products"]),
        ({"products": (SponsoredProduct("p", 1), SponsoredProduct("p", 2))}, ["products[1].product_id"]),
        ({"products": (SponsoredProduct("", -1),)}, ["products[0].product_id", "products[0].bid"]),
        ({"products": (SponsoredProduct("p", math.nan),)}, ["products[0].bid"]),
        ({"currency_code": "JPY", "products": (SponsoredProduct("p", 0.5),)}, ["products[0].bid"]),
        ({"daily_impressions_per_visitor": -1}, ["daily_impressions_per_visitor"]),
        ({"daily_impressions_per_visitor": 1_001}, ["daily_impressions_per_visitor"]),
        ({"start_time": NOW, "end_time": NOW}, ["end_time"]),
    ],
)
def test_every_wrong_field_is_named(fields: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        checked_campaign(campaign(**fields))
    assert [violation.field for violation in caught.value.violations] == named


def test_it_runs_from_start_to_end_unless_paused() -> None:
    timed = campaign(start_time=NOW, end_time=NOW + timedelta(hours=1))
    moments = [NOW - timedelta(seconds=1), NOW, NOW + timedelta(minutes=59), NOW + timedelta(hours=1)]
    assert [timed.runs(moment) for moment in moments] == [False, True, True, False]
    assert campaign().runs(NOW)
    assert not campaign(paused=True).runs(NOW)
