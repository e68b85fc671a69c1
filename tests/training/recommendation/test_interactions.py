"""Interactions: order, histories, what was known before the last events."""

from typing import Any

import numpy as np
import pytest

from training.errors import TrainingError
from training.recommendation.interactions import Interactions, interactions


def _columns(**changed: Any) -> dict[str, Any]:
    columns = {
        "visitors": np.array([2, 0, 2, 0, 2]),
        "products": np.array([1, 3, 0, 3, 2]),
        "times": np.array([30.0, 5.0, 10.0, 5.0, 20.0]),
        "event_types": np.array([10, 4, 4, 10, 6]),
        "product_ids": ["a", "b", "c", "d"],
    }
    return columns | changed


def _lists(found: Interactions) -> list[list[int]]:
    return [history.tolist() for history in found.histories]


def test_sorts_by_visitor_then_time_and_keeps_the_order_of_ties() -> None:
    found = interactions(**_columns())

    assert found.visitors.tolist() == [0, 0, 2, 2, 2]
    assert found.event_types.tolist() == [4, 10, 4, 6, 10]
    assert _lists(found) == [[3, 3], [0, 2, 1]]
    assert found.product_counts().tolist() == [1, 1, 1, 2]


def test_leaves_out_the_last_events_of_each_visitor() -> None:
    found = interactions(**_columns())

    assert _lists(found.without_last(1)) == [[3], [0, 2]]
    assert _lists(found.without_last(2)) == [[0]]
    assert found.without_last(2).visitors.tolist() == [2]
    assert len(found.without_last(3)) == 0
    assert found.without_last(3).histories == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times": np.zeros(2)}, r"different lengths: \[2, 5\]"),
        ({"products": np.array([1, 3, 0, 3, 4])}, "product 4, but there are 4"),
        ({"visitors": np.array([2, -1, 2, 0, 2])}, "visitor -1"),
        ({"text_vectors": np.zeros((3, 2), dtype=np.float32)}, "3 text vectors for 4 products"),
    ],
)
def test_refuses_columns_that_do_not_fit(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        interactions(**_columns(**changed))
