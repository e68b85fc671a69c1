"""The sequence model: loss and gradients, batches, learning, cold products, and the graph that serving reads."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from training.e5_weights import Floats
from training.errors import TrainingError
from training.recommendation.full_softmax import full_softmax_loss
from training.recommendation.interactions import Integers, Interactions, interactions
from training.recommendation.sequence import SequenceSettings, train_sequence
from training.recommendation.sequence_batches import batches_by_length, training_batch
from training.recommendation.sequence_model import SequenceModel
from training.recommendation.sequence_onnx import export_sequence

PRODUCTS = 40
SETTINGS = SequenceSettings(
    dim=16,
    dropout=0.1,
    input_dropout=0.0,
    residual_dropout=0.3,
    learning_rate=1e-2,
    batch_histories=32,
    averaging=0.9,
    max_epochs=10,
    seed=3,
)


def _ring(text: Floats | None = None) -> Interactions:
    """A shop where each visitor goes on from product to product around a ring of 40, the last of it never seen."""
    rng = np.random.default_rng(0)
    firsts, lengths = rng.integers(0, PRODUCTS, 160), rng.integers(3, 9, 160)
    visitors = np.repeat(np.arange(160), lengths)
    steps = np.concatenate([np.arange(length) for length in lengths])
    products = (np.repeat(firsts, lengths) + steps) % (PRODUCTS - 1)
    types = np.full(len(products), 4)
    ids = [f"p{number}" for number in range(PRODUCTS)]
    return interactions(visitors, products, steps.astype(np.float64), types, ids, text)


def _ring_text() -> Floats:
    """Text vectors in which the unseen product reads as product 10 does."""
    text = np.random.default_rng(1).normal(size=(PRODUCTS, 24)).astype(np.float32)
    text[PRODUCTS - 1] = text[10] + 0.05
    return text / np.linalg.norm(text, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def trained() -> SequenceModel:
    return train_sequence(_ring(_ring_text()), SETTINGS)


def test_the_loss_and_its_gradients_are_those_of_cross_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.recommendation.full_softmax._BLOCK_VALUES", 30)  # blocks of three rows
    torch.manual_seed(0)
    users, products = torch.randn(7, 4, requires_grad=True), torch.randn(10, 4, requires_grad=True)
    targets = torch.tensor([1, 9, 0, 4, 4, 2, 8])
    left_out = (torch.tensor([0, 3, 3, 6]), torch.tensor([2, 0, 5, 9]))

    loss = full_softmax_loss(users, products, targets, left_out)
    made = torch.autograd.grad(3 * loss, (users, products))
    logits = (users @ products.T).index_put(left_out, torch.tensor(-torch.inf))
    expected = torch.nn.functional.cross_entropy(logits, targets)

    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for gradient, right in zip(made, torch.autograd.grad(3 * expected, (users, products)), strict=True):
        torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-6)


def test_a_batch_tells_each_new_product_from_those_before_it() -> None:
    batch = training_batch([np.array([7, 8, 7, 9]), np.array([5, 6])])

    assert batch.inputs.tolist() == [[7, 8, 7], [5, 6, 0]]  # the 6 is only told
    assert batch.lengths.tolist() == [3, 1]
    assert batch.places.tolist() == [0, 2, 3]  # not place 1: product 7 again
    assert batch.targets.tolist() == [8, 9, 6]
    pairs = {(int(row), int(product)) for row, product in zip(*batch.left_out, strict=True)}
    assert pairs == {(0, 7), (1, 7), (1, 8), (2, 5)}


def test_batches_hold_each_history_once_and_like_lengths_together() -> None:
    lengths = np.random.default_rng(0).integers(2, 30, 100)
    batches = list(batches_by_length(lengths, 16, np.random.default_rng(1)))

    assert sorted(np.concatenate(batches).tolist()) == list(range(100))
    spreads = sorted((int(lengths[rows].min()), int(lengths[rows].max())) for rows in batches)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spreads))


def _next_products(model: SequenceModel, histories: list[Integers]) -> list[int]:
    scores = model.encode(histories) @ model.product_vectors().T
    for row, history in enumerate(histories):
        scores[row, history] = -1
    found: list[int] = scores.argmax(axis=1).tolist()
    return found


def test_learns_what_follows_what_and_what_an_unseen_product_is(trained: SequenceModel) -> None:
    histories = [np.array([start, start + 1, start + 2]) for start in range(30)]
    right = [history[-1] + 1 for history in histories]

    found = _next_products(trained, histories)
    assert np.mean(np.array(found) == right) >= 0.75
    vectors = trained.product_vectors()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    text_alone = trained.text_vectors @ trained.projection + trained.bias
    unseen = text_alone[PRODUCTS - 1] / np.linalg.norm(text_alone[PRODUCTS - 1])
    assert int((vectors[: PRODUCTS - 1] @ unseen).argmax()) == 10


def test_the_model_before_the_last_events_is_kept_beside(trained: SequenceModel) -> None:
    before = trained.before_last
    assert before is not None
    assert before.before_last is None
    assert not np.array_equal(before.residuals, trained.residuals)


def test_the_same_seed_gives_the_same_model_and_no_text_needs_none() -> None:
    short = replace(SETTINGS, max_epochs=2)
    first, second, other = (train_sequence(_ring(), replace(short, seed=seed)) for seed in (1, 1, 2))

    assert np.array_equal(first.residuals, second.residuals)
    assert not np.array_equal(first.residuals, other.residuals)
    assert first.projection.shape == (0, SETTINGS.dim)
    assert not first.bias.any()


def test_reports_each_evaluation() -> None:
    lines: list[str] = []
    train_sequence(_ring(), replace(SETTINGS, max_epochs=4, last_events_share=0.5), lines.append)

    assert [line.split(":")[0] for line in lines] == [
        "epoch 2",
        "epoch 4",
        "with the last events, epoch 1",
        "with the last events, epoch 2",
    ]


def test_stops_when_it_gets_no_better_and_when_time_is_up() -> None:
    lines: list[str] = []
    train_sequence(_ring(), replace(SETTINGS, learning_rate=1e-12, max_epochs=40, patience=2), lines.append)
    assert [line.split(":")[0] for line in lines if "NDCG" in line] == ["epoch 2", "epoch 4", "epoch 6"]

    lines.clear()
    train_sequence(_ring(), replace(SETTINGS, max_minutes=0.0), lines.append)
    assert [line.split(":")[0] for line in lines if "NDCG" in line] == ["epoch 1"]


def test_the_graph_gives_what_the_model_gives_whatever_the_padding(trained: SequenceModel, tmp_path: Path) -> None:
    path = tmp_path / "history.onnx"
    export_sequence(trained, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert {tensor.name for tensor in session.get_inputs()} == {"items", "event_types", "ages"}
    histories = [np.array([3]), np.arange(9), np.arange(60) % (PRODUCTS - 1)]
    expected, products = trained.encode(histories), trained.product_vectors()

    def served(rows: list[int], length: int) -> Floats:
        items = np.zeros((len(rows), length, trained.dim), dtype=np.float32)
        types = np.zeros((len(rows), length), dtype=np.int64)
        for at, row in enumerate(rows):
            history = histories[row][-trained.max_history :]
            items[at, : len(history)], types[at, : len(history)] = products[history], 4
        ages = np.ones((len(rows), length), dtype=np.float32)
        vectors: Floats = session.run(["vectors"], {"items": items, "event_types": types, "ages": ages})[0]
        return vectors

    np.testing.assert_allclose(served([0, 1, 2], 50), expected, atol=1e-4)
    np.testing.assert_allclose(served([0], 1), expected[:1], atol=1e-4)
    np.testing.assert_allclose(served([1], 30), expected[1:2], atol=1e-4)


def test_refuses_histories_that_teach_nothing() -> None:
    alone = interactions(np.arange(3), np.arange(3), np.zeros(3), np.full(3, 4), ["a", "b", "c"])
    with pytest.raises(TrainingError, match="three different products or more; these events have none"):
        train_sequence(alone, SETTINGS)


def test_says_when_the_loss_is_not_a_number() -> None:
    with pytest.raises(TrainingError, match="not a number; lower its learning_rate"):
        train_sequence(_ring(), replace(SETTINGS, learning_rate=1e38))
