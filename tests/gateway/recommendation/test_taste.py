"""What a history says of a visitor."""

from datetime import UTC, datetime

from gateway.recommendation.taste import MAX_PRODUCTS, taste_of
from vitrine.ports import VisitorAction
from vitrine.user_event import EventType

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def did(kind: EventType, product_id: str = "", query: str = "") -> VisitorAction:
    return VisitorAction(kind, NOW, product_id, query)


def test_nothing_says_nothing() -> None:
    taste = taste_of([])
    assert (taste.liked, taste.bought, taste.seen, taste.searched) == ((), frozenset(), frozenset(), "")


def test_later_and_stronger_actions_weigh_more_and_each_product_is_there_once() -> None:
    taste = taste_of(
        [
            did(EventType.VIEW_ITEM, "a"),
            did(EventType.VIEW_ITEM, "b"),
            did(EventType.ADD_TO_CART, "b"),
            did(EventType.VIEW_ITEM, "a"),
            did(EventType.VIEW_ITEM, "c"),
        ]
    )
    weights = {anchor.product_id: anchor.weight for anchor in taste.liked}
    assert list(weights) == ["a", "b", "c"]
    assert weights["a"] > weights["c"]
    assert weights["b"] > weights["a"]


def test_what_was_given_back_is_not_liked_and_may_be_bought_again() -> None:
    taste = taste_of(
        [
            did(EventType.REFUND, "a"),
            did(EventType.PURCHASE, "a"),
            did(EventType.PURCHASE, "b"),
            did(EventType.REFUND, "b"),
            did(EventType.REMOVE_FROM_CART, "c"),
            did(EventType.ADD_TO_CART, "c"),
        ]
    )
    assert [anchor.product_id for anchor in taste.liked] == ["b"]
    assert taste.bought == {"b"}
    assert taste.seen == {"a", "c"}


def test_a_search_counts_while_it_is_recent_and_a_history_is_bounded() -> None:
    search = did(EventType.SEARCH, query="红色")
    views = [did(EventType.VIEW_ITEM, f"p{number}") for number in range(80)]
    assert taste_of([*views[:5], search]).searched == "红色"
    assert taste_of([*views, search]).searched == ""
    assert len(taste_of(views).liked) == MAX_PRODUCTS
    assert len(taste_of(views).seen) == 80
