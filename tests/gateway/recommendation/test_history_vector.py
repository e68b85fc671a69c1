"""A history as the encoder reads it: each product once, by its latest action, oldest first."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from gateway.recommendation.history_vector import HistoryVectors
from vitrine.deadline import Deadline
from vitrine.ports import BehaviourVectors, EncodedHistories, HistoryItem, VisitorAction
from vitrine.user_event import EventType


class Two:
    """The two services: a catalogue of some products, and an embedder that keeps what it is asked."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.histories: Any = None

    async def get_behaviour_vectors(
        self, ids: Sequence[str], *, deadline: Deadline, recommender_digest: str
    ) -> BehaviourVectors:
        found = tuple(one for one in ids if one in self.known)
        return BehaviourVectors(found, np.eye(len(found), 4, dtype=np.float32), "sha256:r")

    async def encode_history(
        self, histories: Any, item_vectors: Any, *, recommender_digest: str, deadline: Deadline
    ) -> EncodedHistories:
        assert recommender_digest == "sha256:r"
        self.histories = histories
        return EncodedHistories(np.ones((1, 4), np.float32), recommender_digest)


def action(product_id: str, minutes_ago: int, kind: EventType = EventType.VIEW_ITEM) -> VisitorAction:
    return VisitorAction(kind, datetime.now(UTC) - timedelta(minutes=minutes_ago), product_id)


async def test_each_product_once_by_its_latest_action_oldest_first() -> None:
    services: Any = Two("a", "b")
    newest_first = [action("b", 1, EventType.PURCHASE), action("gone", 2), action("a", 3), action("b", 4)]
    found = await HistoryVectors(services, services).encoded(newest_first, Deadline.after(9))
    assert found is not None
    assert found[1] == "sha256:r"
    ((first, second),) = services.histories
    assert (first.vector_index, first.event_type) == (1, EventType.VIEW_ITEM)
    assert (second.vector_index, second.event_type) == (0, EventType.PURCHASE)
    assert isinstance(first, HistoryItem)
    assert 180 <= first.age_s < 240
    assert 60 <= second.age_s < 120


async def test_without_a_product_that_is_there_the_embedder_is_not_asked() -> None:
    services: Any = Two()
    vectors = HistoryVectors(services, services)
    assert await vectors.encoded([], Deadline.after(9)) is None
    assert await vectors.encoded([action("gone", 2)], Deadline.after(9)) is None
    assert services.histories is None
