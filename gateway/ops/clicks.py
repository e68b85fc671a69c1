"""Where what was clicked after a query had stood."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.experiments.attribution import read_token
from gateway.experiments.definitions import SEARCH
from vitrine.text import normalize_text
from vitrine.user_event import EventType, UserEvent

_CLICKS = frozenset({EventType.SELECT_ITEM, EventType.VIEW_ITEM})


@dataclass(frozen=True, slots=True)
class RankedClicks:
    """The clicks after a normalised query: their number, mean and worst position, and what was clicked at that."""

    query: str
    clicks: int
    mean_position: float
    worst_position: int
    worst_product_id: str


def worst_ranked(events: Sequence[UserEvent], least_clicks: int, limit: int) -> list[RankedClicks]:
    """The queries whose clicked results stood lowest.

    A click names its query, or by its token the answer to a search that does. A visitor's clicks on one product of one
    answer are one.
    """
    asked = {
        event.attribution_token: event.query
        for event in events
        if event.event_type is EventType.SEARCH and event.attribution_token
    }
    found: dict[str, dict[tuple[str, str, str], int]] = defaultdict(dict)
    for event in events:
        query = normalize_text(event.query or asked.get(event.attribution_token, ""))
        if event.event_type in _CLICKS and query and _is_of_a_search(event):
            for product in event.products:
                if product.position:
                    click = event.visitor_id, event.attribution_token, product.product_id
                    found[query][click] = product.position
    listed = [_ranked(query, clicks) for query, clicks in found.items() if len(clicks) >= least_clicks]
    return sorted(listed, key=lambda one: (-one.mean_position, -one.clicks, one.query))[:limit]


def _ranked(query: str, clicks: dict[tuple[str, str, str], int]) -> RankedClicks:
    worst = _lowest(clicks.items())
    return RankedClicks(query, len(clicks), sum(clicks.values()) / len(clicks), worst[1], worst[0][2])


def _lowest(clicks: Iterable[tuple[tuple[str, str, str], int]]) -> tuple[tuple[str, str, str], int]:
    return max(clicks, key=lambda click: (click[1], click[0][2]))


def _is_of_a_search(event: UserEvent) -> bool:
    """Whether the list was a search's, as far as the token says: one that a query led to may be another's."""
    answered = read_token(event.attribution_token)
    return answered is None or answered.place == SEARCH
