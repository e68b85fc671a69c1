"""A history as the encoder reads it: each product once, by its latest action, oldest first."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from gateway.recommendation.history_vector import HistoryVectors
from vitrine.deadline import Deadline
from vitrine.ports import BehaviourVectors, EncodedHistories, HistoryItem, VisitorAction
from vitrine.product import Product
from vitrine.user_event import EventType


class Two:
    """The two services: a catalogue of some products, and an embedder that keeps what it is asked."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.histories: Any = None

    async def get_behaviour_vectors(
        self, ids: Sequence[str], *, deadline: Deadline, recommender_digest: str
    ) -> BehaviourVectors:
        found = tuple(Product(id=one, title=one) for one in ids if one in self.known)
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
    vectors = HistoryVectors(services, services)
    history = await vectors.read(newest_first, Deadline.after(9))
    assert history is not None
    assert [product.id for product in history.products] == ["b", "a"]
    assert (await vectors.encode(history, Deadline.after(9)))[1] == "sha256:r"
    ((first, second),) = services.histories
    assert (first.vector_index, first.event_type) == (1, EventType.VIEW_ITEM)
    assert (second.vector_index, second.event_type) == (0, EventType.PURCHASE)
    assert isinstance(first, HistoryItem)
    assert 180 <= first.age_s < 240
    assert 60 <= second.age_s < 120


async def test_without_a_product_that_is_there_nothing_is_to_be_encoded() -> None:
    services: Any = Two()
    vectors = HistoryVectors(services, services)
    assert await vectors.read([], Deadline.after(9)) is None
    assert await vectors.read([action("gone", 2)], Deadline.after(9)) is None
