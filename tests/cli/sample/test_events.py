"""The sample shop's events."""

from collections import defaultdict
from statistics import mean

from cli.sample.events import events
from cli.sample.products import Shop
from cli.sample.visitors import Visitors


def test_events_are_in_the_order_of_time_and_of_a_visit() -> None:
    shop = Shop(1_000, seed=2)
    rows = list(events(shop, Visitors(shop)))
    assert [row["event_time"] for row in rows] == sorted(row["event_time"] for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    bought = 0
    sessions = defaultdict(list)
    for row in rows:
        sessions[row["session_id"]].append(row)
    for visit in sessions.values():
        assert visit[0]["event_type"] == "search"
        assert len({row["visitor_id"] for row in visit}) == 1
        seen: dict[str, set[str]] = defaultdict(set)
        for row in visit:
            ids = set(row["product_ids"])
            if row["event_type"] == "view":
                assert ids <= seen["search"]
            if row["event_type"] == "add-to-cart":
                assert ids <= seen["view"]
            if row["event_type"] == "purchase":
                assert ids <= seen["add-to-cart"]
                bought += 1
            seen[row["event_type"]] |= ids
    assert bought > 20


def test_visitors_choose_what_they_like() -> None:
    shop = Shop(2_000, seed=2)
    visitors = Visitors(shop)
    by_id = {(visitor := visitors.visitor(number)).id: visitor for number in range(visitors.count)}
    likings = defaultdict(list)
    own_type = []
    for row in events(shop, visitors):
        visitor = by_id[row["visitor_id"]]
        facts = [shop.facts(int(product_id[1:]) - 1) for product_id in row["product_ids"]]
        likings[row["event_type"]] += [visitor.liking(each) for each in facts]
        if row["event_type"] == "search" and row["id"].endswith("-1"):
            own_type.append(facts[0].type in visitor.types)
    assert all(own_type)
    assert mean(likings["search"]) + 0.2 < mean(likings["view"]) < mean(likings["purchase"])
