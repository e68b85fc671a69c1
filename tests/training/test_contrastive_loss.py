"""Both objectives against hand-made batches, and the softmax against the shipped embedder's own."""

import pytest
import torch

from training.contrastive_loss import BatchText, batch_layout, click_loss, softmax_loss
from training.embedder_training import info_nce


def _unit(*shape: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_equal_weights_and_one_negative_give_the_shipped_embedders_loss() -> None:
    groups = ["phone", "case", "phone", "watch"]
    queries, products = _unit(4, 8, seed=1), _unit(8, 8, seed=2)
    layout = batch_layout(
        [f"q{at}" for at in range(4)],
        [BatchText(f"p{at}", group) for at, group in enumerate(groups)],
        [BatchText(f"n{at}", "") for at in range(4)],
        range(4),
    )
    ours = softmax_loss(queries, products, layout, torch.full((4,), 3.0), 0.05)
    assert float(ours) == pytest.approx(float(info_nce(queries, products, groups, 0.05)), rel=1e-5)


def test_what_may_answer_a_query_is_hidden_from_it() -> None:
    layout = batch_layout(
        ["red phone", "blue phone", "red phone", "cable"],
        [BatchText("p0", "phone"), BatchText("p1", "phone"), BatchText("p2", ""), BatchText("p3", "")],
        [BatchText("case", ""), BatchText("p3", ""), BatchText("other phone", "phone")],
        [0, 1, 3],
    )
    assert layout.visible.tolist() == [
        # own, same group, same query, other | own negative, p3 as a negative of its own group, a phone
        [True, False, False, True, True, False, False],
        [False, True, True, True, False, True, False],
        [False, True, True, True, False, True, True],
        [True, True, True, True, True, False, True],
    ]
    assert layout.own.tolist()[3] == [False, False, False, True, False, False, True]


def test_rows_count_by_their_weight() -> None:
    queries, products = _unit(2, 8, seed=3), _unit(2, 8, seed=4)
    layout = batch_layout(["a", "b"], [BatchText("p", ""), BatchText("r", "")], [], [])
    alone = [softmax_loss(queries, products, layout, torch.tensor(one), 0.1) for one in ((1.0, 0.0), (0.0, 1.0))]
    both = softmax_loss(queries, products, layout, torch.tensor([3.0, 1.0]), 0.1)
    assert float(both) == pytest.approx(0.75 * float(alone[0]) + 0.25 * float(alone[1]), rel=1e-5)


def test_the_click_loss_is_binary_cross_entropy_of_the_scaled_cosine() -> None:
    queries, products = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    layout = batch_layout(["a", "b"], [BatchText("p", ""), BatchText("r", "")], [BatchText("n", "")], [0])
    bias = torch.tensor(-1.0, requires_grad=True)
    loss = click_loss(queries, products, layout, torch.tensor([1.0, 0.0]), torch.ones(2), 0.5, bias)
    scores = torch.tensor([[1.0, -1.0, 0.2], [-1.0, 1.0, 0.6]])
    goals = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(scores, goals, reduction="sum") / 2
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    loss.backward()
    assert bias.grad is not None
    assert bias.grad > 0


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_mixed_precision_leaves_both_losses_as_they_are(half: torch.dtype) -> None:
    queries, products = _unit(3, 8, seed=5), _unit(4, 8, seed=6)
    texts = [BatchText(name, "") for name in "abcd"]
    layout = batch_layout(["x", "y", "z"], texts[:3], texts[3:], [0])
    labels, weights, bias = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, 3.0, 2.0]), torch.tensor(-1.0)

    def losses() -> list[float]:
        click = click_loss(queries, products, layout, labels, weights, 0.05, bias)
        return [float(softmax_loss(queries, products, layout, weights, 0.05)), float(click)]

    plain = losses()
    with torch.autocast("cpu", dtype=half):
        assert losses() == pytest.approx(plain, rel=1e-6)
