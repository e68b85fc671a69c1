"""A visitor's taste: what the history says of likes, and what need not be shown again."""

from collections.abc import Sequence
from dataclasses import dataclass

from vitrine.ports import Anchor, VisitorAction
from vitrine.user_event import EventType

MAX_PRODUCTS = 50
# Places of the history after which a product counts half: by place and not by age, so that who comes back after a
# month is met where the last visit ended.
_HALF_PLACES = 5.0
_RECENT_ACTIONS = 10
_LIKED = {
    EventType.VIEW_ITEM: 1.0,
    EventType.SELECT_ITEM: 1.0,
    EventType.AD_CLICK: 1.0,
    EventType.ADD_TO_WISHLIST: 1.5,
    EventType.ADD_TO_CART: 2.0,
    EventType.PURCHASE: 2.0,
}
_TAKEN_BACK = frozenset({EventType.REMOVE_FROM_CART, EventType.REFUND})


@dataclass(frozen=True, slots=True)
class Taste:
    """Products liked, newest first; what was bought and kept; what was seen besides; the words searched for lately.

    `actions` are what was done with the products liked, newest first.
    """

    liked: tuple[Anchor, ...] = ()
    bought: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    searched: str = ""
    actions: tuple[VisitorAction, ...] = ()


def taste_of(history: Sequence[VisitorAction]) -> Taste:
    """The taste of a history, which comes newest first."""
    strength: dict[str, float] = {}
    refused: set[str] = set()
    bought: dict[str, bool] = {}
    for action in history:
        if not action.product_id:
            continue
        if action.event_type in (EventType.PURCHASE, EventType.REFUND):
            bought.setdefault(action.product_id, action.event_type is EventType.PURCHASE)
        if action.event_type in _TAKEN_BACK and action.product_id not in strength:
            refused.add(action.product_id)
        if liked := _LIKED.get(action.event_type):
            strength[action.product_id] = max(strength.get(action.product_id, 0.0), liked)
    wanted = [item for item in strength.items() if item[0] not in refused][:MAX_PRODUCTS]
    products = {product_id for product_id, _ in wanted}
    kept = frozenset(product_id for product_id, is_kept in bought.items() if is_kept)
    return Taste(
        liked=tuple(
            Anchor(product_id, liked * 0.5 ** (place / _HALF_PLACES))
            for place, (product_id, liked) in enumerate(wanted)
        ),
        bought=kept,
        seen=frozenset(strength) - kept,
        searched=next((action.query for action in history[:_RECENT_ACTIONS] if action.query), ""),
        actions=tuple(one for one in history if one.product_id in products and one.event_type in _LIKED),
    )
