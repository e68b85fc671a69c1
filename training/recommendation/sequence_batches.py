"""Histories as batches: padded on the right, of like length, with what the softmax leaves out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.recommendation.interactions import Integers


@dataclass(frozen=True)
class TrainingBatch:
    """Histories whose every product is to be told from those before it."""

    inputs: Tensor  # (batch, length) int64 products, right-padded with 0
    lengths: Tensor  # (batch,)
    places: Tensor  # (n,) places of the flattened (batch * length) inputs after which a product is told
    targets: Tensor  # (n,) that product
    left_out: tuple[Tensor, Tensor]  # pairs (row of n, product): what the history up to there holds already


def padded(histories: Sequence[Integers]) -> tuple[Tensor, Tensor]:
    """Products (batch, length) int64, right-padded with 0, and lengths (batch,)."""
    lengths = np.array([len(history) for history in histories])
    products = np.zeros((len(histories), lengths.max(initial=1)), dtype=np.int64)
    products[np.arange(products.shape[1]) < lengths[:, None]] = np.concatenate(histories)
    return torch.from_numpy(products), torch.from_numpy(lengths)


def training_batch(histories: Sequence[Integers]) -> TrainingBatch:
    """The batch of histories of two products or more.

    Neither is a product that the history already holds a target (to see it again needs no telling), nor does it stand
    in the softmax: it is not among what is recommended, and near itself in the tied space as it is, it would be all
    that the model learns to push away.
    """
    products, lengths = padded(histories)
    inputs, following = products[:, :-1], products[:, 1:]
    length = inputs.shape[1]
    later, earlier = torch.tril_indices(length, length)
    repeated = torch.zeros(following.shape, dtype=torch.bool)
    again = (inputs[:, earlier] == following[:, later]).nonzero()
    repeated[again[:, 0], later[again[:, 1]]] = True
    told = (torch.arange(length) < (lengths - 1)[:, None]) & ~repeated
    rows = torch.full(told.shape, -1)
    rows[told] = torch.arange(int(told.sum()))
    left_out_rows = rows[:, later].flatten()
    kept = left_out_rows >= 0
    return TrainingBatch(
        inputs=inputs,
        lengths=lengths - 1,
        places=told.flatten().nonzero()[:, 0],
        targets=following[told],
        left_out=(left_out_rows[kept], inputs[:, earlier].flatten()[kept]),
    )


def batches_by_length(lengths: Integers, size: int, generator: np.random.Generator) -> Iterator[Integers]:
    """Rows in batches of at most `size` of like length, each row once, ties and batches in random order."""
    order = np.lexsort((generator.random(len(lengths)), lengths))
    starts = np.arange(0, len(order), size)
    generator.shuffle(starts)
    for start in starts:
        yield order[start : start + size]
