"""What is known of each visitor before an event, as serving knows it: the products liked and how much."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from gateway.recommendation.taste import taste_of
from training.e5_weights import Floats
from training.recommendation.interactions import Integers, Interactions
from vitrine.ports import VisitorAction
from vitrine.user_event import EventType
from vitrine.v1 import user_event_pb2

_TYPES = {
    number: EventType[name.removeprefix("EVENT_TYPE_")]
    for name, number in user_event_pb2.EventType.items()
    if number != user_event_pb2.EVENT_TYPE_UNSPECIFIED
}
_LONGEST = 200  # actions that serving reads of a history


@dataclass(frozen=True)
class History:
    """A visitor's events, oldest first, all (n,), and the anchors that they make, all (m,)."""

    products: Integers
    event_types: Integers
    times: NDArray[np.float64]
    liked: Integers
    weights: Floats
    left_out: Integers  # products that HOME does not show: bought or seen

    @property
    def ages(self) -> Floats:
        """log1p(seconds) between each event and the last."""
        return np.asarray(np.log1p(self.times[-1:] - self.times), np.float32)


def histories_of(interactions: Interactions) -> Iterator[History]:
    """One for each visitor with events, visitors by number; anchors by the code of the gateway."""
    for start, end in zip(interactions.bounds[:-1], interactions.bounds[1:], strict=True):
        part = slice(max(start, end - _LONGEST), end)
        yield history_of(interactions.products[part], interactions.event_types[part], interactions.times[part])


def history_of(products: Integers, event_types: Sequence[int] | Integers, times: NDArray[np.float64]) -> History:
    """The history of events given oldest first."""
    actions = [
        VisitorAction(_TYPES[int(kind)], _NO_MATTER, str(product))
        for product, kind in zip(products[::-1], event_types[::-1], strict=True)
    ]
    taste = taste_of(actions)
    return History(
        products=products,
        event_types=np.asarray(event_types, np.int64),
        times=np.asarray(times, np.float64),
        liked=np.array([int(one.product_id) for one in taste.liked], np.int64),
        weights=np.array([one.weight for one in taste.liked], np.float32),
        left_out=np.array(sorted(map(int, taste.bought | taste.seen)), np.int64),
    )


# Taste goes by the order of events, not by their times.
_NO_MATTER = datetime(2000, 1, 1, tzinfo=UTC)
