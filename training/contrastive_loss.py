"""The embedder's two objectives over a batch of queries, their products and hard negatives; weights respected.

softmax: the full softmax over all products of the batch (van den Oord et al. 2018), in both directions. click: binary
cross-entropy on sigmoid(u.v / temperature + bias), every product of the batch that is not the query's own counting as
not clicked (Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_HIDDEN = -1e4


@dataclass(frozen=True)
class BatchText:
    """A text of the batch: what it says and its group; "" is no group."""

    text: str
    group: str


@dataclass(frozen=True)
class BatchLayout:
    """What may be compared: row i's product is product i; negative j belongs to row owners[j]."""

    visible: Tensor  # (n, n + m) bool: products, then negatives; a row sees its own always
    own: Tensor  # (n, n + m) bool: a row's product and its negatives


def batch_layout(
    queries: Sequence[str], products: Sequence[BatchText], negatives: Sequence[BatchText], owners: Sequence[int]
) -> BatchLayout:
    """Hide from each row what may answer its query too: the same query's or group's products, and the same text."""
    count = len(queries)
    texts = [*products, *negatives]
    rows = [*range(count), *owners]
    own = torch.tensor([[rows[column] == row for column in range(len(texts))] for row in range(count)])
    alike = torch.tensor(
        [
            [
                queries[rows[column]] == queries[row]
                or (products[row].group != "" and products[row].group in (products[rows[column]].group, one.group))
                or one.text == products[row].text
                for column, one in enumerate(texts)
            ]
            for row in range(count)
        ]
    )
    return BatchLayout(own | ~alike, own)


def softmax_loss(queries: Tensor, products: Tensor, layout: BatchLayout, weights: Tensor, temperature: float) -> Tensor:
    """Mean loss over rows by weight; queries (n, d), products (n + m, d) with the negatives last, weights (n,)."""
    count = queries.shape[0]
    scores = _scores(queries, products, temperature).masked_fill(~layout.visible.to(queries.device), _HIDDEN)
    goal = torch.arange(count, device=queries.device)
    forward = nn.functional.cross_entropy(scores, goal, reduction="none")
    backward = nn.functional.cross_entropy(scores[:, :count].T, goal, reduction="none")
    mean: Tensor = ((forward + 0.5 * backward) * weights).sum() / weights.sum()
    return mean


def click_loss(
    queries: Tensor,
    products: Tensor,
    layout: BatchLayout,
    labels: Tensor,
    weights: Tensor,
    temperature: float,
    bias: Tensor,
) -> Tensor:
    """Sum over each row's products, mean over rows; arguments as of softmax_loss, labels (n,) of rows' own products."""
    count = queries.shape[0]
    scores = _scores(queries, products, temperature) + bias
    goals, counted = torch.zeros_like(scores), layout.visible.to(queries.device).to(scores.dtype)
    diagonal = torch.arange(count, device=queries.device)
    goals[diagonal, diagonal] = labels
    counted[diagonal, diagonal] = weights / weights.mean()
    losses = nn.functional.binary_cross_entropy_with_logits(scores, goals, reduction="none")
    return (losses * counted).sum() / count


def _scores(queries: Tensor, products: Tensor, temperature: float) -> Tensor:
    """Cosines over temperature, float32 in mixed precision too: 16 bits tell near ones apart too coarsely."""
    with torch.autocast(queries.device.type, enabled=False):
        return queries.float() @ products.float().T / temperature
