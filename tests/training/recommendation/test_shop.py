"""A shop's files to a bundle: what the bundle holds, and how much an event counts by where it was shown."""

from pathlib import Path

import numpy as np
import pytest

from gateway.recommendation.features import FEATURES, GROUPS
from tests.training.recommendation.conftest import TrainedShop
from tests.training.recommendation.made_shop import product_id, write_lines
from training.recommendation.event_files import read_visitor_events
from training.recommendation.shop import RecommenderPlan, position_weights
from vitrine.learned_products import read_learned_products
from vitrine.recommender_bundle import load_recommender


def test_the_bundle_holds_what_was_learned(trained_shop: TrainedShop) -> None:
    bundle = load_recommender(trained_shop.folder)
    learned, sources = read_learned_products(bundle), trained_shop.trained.parts.sources
    assert learned.ids[0] == product_id(0, 0)
    assert learned.trained_events.tolist() == sources.trained_events.tolist()
    assert learned.trained_events[learned.ids.index("new")] == 0
    assert sources.als is not None
    np.testing.assert_array_equal(learned.factors, sources.als.factors)
    for relation, neighbours in sources.neighbours.items():
        assert learned.neighbours[relation].products.tolist() == neighbours.products.tolist()


def test_the_manifest_says_what_it_is_for_and_what_it_reached(trained_shop: TrainedShop) -> None:
    manifest = load_recommender(trained_shop.folder).manifest
    assert manifest.fusion is not None
    assert (manifest.fusion.features, manifest.fusion.groups) == (FEATURES, GROUPS)
    assert manifest.fusion.calibration.scale == trained_shop.trained.parts.fusion.scale
    assert manifest.embedder_digest == manifest.lineage["embedder"]
    figures = manifest.metrics["held_out"]
    assert figures["fusion"] > figures["popular"]
    assert figures["lists"] <= figures["asked"]


def test_what_was_turned_to_further_down_counts_more(trained_shop: TrainedShop, tmp_path: Path) -> None:
    rows = [
        {
            "event_type": "view_item",
            "visitor_id": f"v{position}",
            "event_time": "2026-01-01T00:00:00Z",
            "product_ids": [product_id(0, 0)],
            "positions": [position],
        }
        for position in (1, 2, 4, 0, 90)
    ]
    plan, notes = trained_shop.plan, list[str]()
    weights = _weights(plan, write_lines(tmp_path / "events.jsonl", rows), notes)
    by_visitor = dict(zip(("v0", "v1", "v2", "v4", "v90"), (weights / weights[1]).tolist(), strict=True))
    # Nothing in this log tells more: 1 / rank is assumed, and no event counts more than ten times.
    assert by_visitor == pytest.approx({"v0": 1, "v1": 1, "v2": 2, "v4": 4, "v90": 10}, rel=1e-5)
    assert "1/rank^1 is assumed" in notes[0]


def _weights(plan: RecommenderPlan, path: Path, notes: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    events = read_visitor_events([path], [product_id(0, 0)], notes.append)
    weights = position_weights(plan, [path], events, notes)
    assert weights is not None
    return np.asarray(weights, np.float32)
