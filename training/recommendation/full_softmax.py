"""The full softmax over all products, P(x_i|D) = exp(u_i·v_k)/Z, as a loss that fits into memory.

Loss and gradients are made together, a block of rows at a time: the (positions, products) logits are never held whole,
nor walked through once more for the gradient (as in Wijmans et al. 2024, "Cut Your Losses in Large-Vocabulary LMs").
"""

from typing import Any

import torch
from torch import Tensor

_BLOCK_VALUES = 2**23  # logits of one block: 32 MB


def full_softmax_loss(users: Tensor, products: Tensor, targets: Tensor, left_out: tuple[Tensor, Tensor]) -> Tensor:
    """Mean cross-entropy of `targets` (n,) under softmax(users @ products.T), () float32.

    `users` (n, d) and `products` (P, d) float32, their inner products below about 80: temperature times cosine.
    `left_out`: rows and products (k,) of pairs that the softmax doesn't hold; no target among them.
    """
    loss: Tensor = _FullSoftmax.apply(users, products, targets, *left_out)  # type: ignore[no-untyped-call]
    return loss


class _FullSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, users: Tensor, products: Tensor, targets: Tensor, left_out_rows: Tensor, left_out_products: Tensor
    ) -> Tensor:
        count = len(users)
        users_gradient, products_gradient = torch.empty_like(users), torch.zeros_like(products)
        loss = torch.zeros((), dtype=torch.float64)
        size = max(1, _BLOCK_VALUES // len(products))
        for start in range(0, count, size):
            block, wanted = users[start : start + size], targets[start : start + size]
            # Products come first: this product runs faster than the other way round, and it is most of the work.
            logits = torch.mm(products, block.T)
            hits = logits[wanted, torch.arange(len(wanted))]
            here = (left_out_rows >= start) & (left_out_rows < start + size)
            logits[left_out_products[here], left_out_rows[here] - start] = -torch.inf
            odds = logits.exp_()
            totals = odds.sum(0)
            loss += (totals.log() - hits).sum()
            share = totals.reciprocal_()[:, None]
            users_gradient[start : start + size] = torch.mm(odds.T, products) * share - products[wanted]
            products_gradient.addmm_(odds, block * share)
            products_gradient.index_add_(0, wanted, block, alpha=-1)
        ctx.save_for_backward(users_gradient, products_gradient)
        ctx.count = count
        return (loss / count).float()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        users_gradient, products_gradient = ctx.saved_tensors
        scale = gradients[0] / ctx.count
        return users_gradient * scale, products_gradient * scale, None, None, None
