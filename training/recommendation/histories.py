"""What is known of each visitor before an event, as serving knows it: the products liked and how much."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from gateway.recommendation.taste import taste_of
from training.e5_weights import Floats
from training.recommendation.interactions import Integers, Interactions
from vitrine.ports import VisitorAction
from vitrine.user_event import EventType
from vitrine.v1 import user_event_pb2

EVENT_TYPES = {
    number: EventType[name.removeprefix("EVENT_TYPE_")]
    for name, number in user_event_pb2.EventType.items()
    if number != user_event_pb2.EVENT_TYPE_UNSPECIFIED
}
_LONGEST = 200  # actions that serving reads of a history
# Taste goes by the order of events, not by their times.
_NO_MATTER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class History:
    """What a visitor did, as the gateway reads it."""

    items: Integers  # (l,) products by their latest action, oldest first: what the sequence model reads
    liked: Integers  # (m,) anchors, newest first
    weights: Floats  # (m,) how much each counts
    left_out: Integers  # products that are not shown: bought or seen
    goes_with: bool = False  # what completes the anchors is asked for, not what is like them
    seen: Mapping[int, int] = field(default_factory=dict)  # how often each product is in the history


NOTHING_KNOWN = History(*(np.zeros(0, np.int64),) * 2, np.zeros(0, np.float32), np.zeros(0, np.int64))


def basket_of(products: Integers, left_out: Integers) -> History:
    """The history that a basket is for what goes with it, the first named being the oldest; see `left_out` above."""
    return History(
        items=products,
        liked=products,
        weights=np.ones(len(products), np.float32),
        left_out=np.union1d(products, left_out),
        goes_with=True,
    )


def histories_of(interactions: Interactions) -> dict[int, History]:
    """The history of each visitor with events, by number."""
    bounds = interactions.bounds
    return {
        int(interactions.visitors[start]): history_of(
            interactions.products[max(start, end - _LONGEST) : end],
            interactions.event_types[max(start, end - _LONGEST) : end],
        )
        for start, end in itertools.pairwise(bounds)
    }


def history_of(products: Integers, event_types: Sequence[int] | Integers) -> History:
    """The history of events given oldest first, by the gateway's own code."""
    actions = [
        VisitorAction(EVENT_TYPES[int(kind)], _NO_MATTER, str(product))
        for product, kind in zip(products[::-1], event_types[::-1], strict=True)
    ]
    taste = taste_of(actions)
    items = list(dict.fromkeys(int(action.product_id) for action in taste.actions))
    return History(
        items=np.array(items[::-1], np.int64),
        liked=np.array([int(one.product_id) for one in taste.liked], np.int64),
        weights=np.array([one.weight for one in taste.liked], np.float32),
        left_out=np.array(sorted(map(int, taste.bought | taste.seen)), np.int64),
        seen=Counter(int(action.product_id) for action in taste.actions),
    )
