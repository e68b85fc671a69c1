"""Fusion: learning which source to trust, contributions that add up, and the graph that serves them."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from gateway.recommendation.features import FEATURES, GROUPS, features
from training.e5_weights import Floats
from training.errors import NothingToLearn
from training.recommendation.candidates import Candidates
from training.recommendation.fusion import Fusion, FusionSettings, Lists, lists_of, train_fusion
from training.recommendation.fusion_model import WideAndDeep
from training.recommendation.fusion_onnx import export_fusion

_COUNT = 20


def made_lists(seed: int = 0, visitors: int = 300) -> Lists:
    """Lists in which item-item is right where its product has many events, and text where it has few."""
    rng = np.random.default_rng(seed)
    found, positives = [], []
    for _ in range(visitors):
        scores = {name: rng.random(_COUNT).astype(np.float32) for name in ("item_item", "text")}
        events = np.where(rng.random(_COUNT) < 0.5, 0.0, 40.0).astype(np.float32)
        truth = np.where(events > 0, scores["item_item"], scores["text"])
        table = features({**scores, "trained_events": events}, 3, _COUNT)
        found.append(Candidates(np.arange(100, 100 + _COUNT), table, scores))
        positives.append(100 + int(np.argmax(truth)))
    return lists_of(found, positives, [1.0] * visitors, visitors)


@pytest.fixture(scope="module")
def lists() -> Lists:
    return made_lists()


@pytest.fixture(scope="module")
def fusion(lists: Lists) -> Fusion:
    return train_fusion(lists, FusionSettings(epochs=12, learning_rate=1e-2))


def test_fusion_beats_every_single_source(fusion: Fusion) -> None:
    single = max(fusion.metrics[name] for name in ("item_item", "text"))
    assert fusion.metrics["fusion"] > single * 1.2


def test_a_list_without_what_was_turned_to_is_left_out_and_counted() -> None:
    table = features({}, 0, 2)
    found = [Candidates(np.array([1, 5]), table, {}) for _ in range(3)]
    lists = lists_of(found, [5, 3, 9], [1.0, 1.0, 1.0], 10)
    assert (len(lists), lists.asked, lists.positives.tolist()) == (1, 3, [1])


def test_what_weighs_more_is_learned_more(lists: Lists) -> None:
    """Half of the lists say one thing and half the other: the heavier half decides."""

    def half(name: str, weight: float) -> list[tuple[Candidates, int, float]]:
        rng = np.random.default_rng(3)
        made = []
        for _ in range(60):
            scores = {key: rng.random(8).astype(np.float32) for key in ("als", "text")}
            best = int(np.argmax(scores[name]))
            made.append((Candidates(np.arange(8), features(scores, 2, 8), scores), best, weight))
        return made

    both = [*half("als", 9.0), *half("text", 1.0)]
    learned = train_fusion(
        lists_of([one for one, _, _ in both], [best for _, best, _ in both], [weight for *_, weight in both], 200),
        FusionSettings(epochs=10, learning_rate=1e-2),
    )
    sure = {"als": np.array([0.9, 0.1], np.float32), "text": np.array([0.1, 0.9], np.float32)}
    first, second = scores_of(learned.model, features(sure, 2, 2))
    assert first > second


def test_contributions_add_up_and_a_group_without_evidence_contributes_nothing(fusion: Fusion) -> None:
    table = features({"text": np.array([0.9, np.nan, 0.1], np.float32)}, 3, 3)
    with torch.inference_mode():
        contributions, score = fusion.model(torch.from_numpy(table))
    np.testing.assert_allclose(contributions.sum(dim=1), score, rtol=1e-6)
    told = [place for place, group in enumerate(GROUPS) if group == "text_similar"]
    others = [place for place in range(len(GROUPS)) if place not in told]
    assert not contributions[:, others].any()
    assert not contributions[1].any()
    assert contributions[0, told].abs().item() > 0


def test_features_that_no_data_showed_keep_their_stated_weight(fusion: Fusion) -> None:
    table = features({"profile_rank": np.array([1.0, np.nan], np.float32)}, 0, 2)
    first, second = scores_of(fusion.model, table)
    assert first == pytest.approx(2.0)
    assert second == 0


def test_the_graph_gives_what_the_model_gives(fusion: Fusion, lists: Lists, tmp_path: Path) -> None:
    export_fusion(fusion.model, tmp_path / "fusion.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "fusion.onnx", providers=["CPUExecutionProvider"])
    table = np.concatenate([lists.features[:50], np.random.default_rng(1).normal(size=(50, len(FEATURES)))])
    table = table.astype(np.float32)
    contributions, score = session.run(["contributions", "score"], {"features": table})
    with torch.inference_mode():
        expected, expected_score = fusion.model(torch.from_numpy(table))
    np.testing.assert_allclose(contributions, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(score, expected_score, rtol=1e-4, atol=1e-4)


def test_probability_is_calibrated_on_lists_that_were_not_learned(fusion: Fusion) -> None:
    fresh = made_lists(seed=9, visitors=200)
    chance = 1 / (1 + np.exp(-(fusion.scale * scores_of(fusion.model, fresh.features) + fusion.bias)))
    turned_to = np.isin(np.arange(len(chance)), fresh.positives)
    assert chance.mean() == pytest.approx(turned_to.mean(), rel=0.15)
    sure = chance > 0.4
    assert chance[sure].mean() == pytest.approx(turned_to[sure].mean(), abs=0.12)


def test_too_few_lists_are_refused_with_their_number(lists: Lists) -> None:
    few = lists_of([], [], [], 5)
    with pytest.raises(NothingToLearn, match="0 of 0 held-out events"):
        train_fusion(few, FusionSettings())


def scores_of(model: WideAndDeep, table: Floats) -> Floats:
    with torch.inference_mode():
        found: Floats = model(torch.from_numpy(table))[1].numpy()
    return found
