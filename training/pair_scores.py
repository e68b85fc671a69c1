"""A cross-encoder over pairs of query and product text: how pairs are laid out, as in serving, and their logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from training.cross_encoder import pad_pairs
from training.e5_weights import Floats

_BATCH = 64

PairRow = tuple[list[int], list[int]]  # token ids and types


@dataclass(frozen=True)
class PairLayout:
    """How a query and a product become one row of at most `max_tokens`: [first] query [last] product [last].

    The product is cut; the query only beyond half of the row, as services/ranker cuts it.
    """

    tokenizer: Tokenizer
    pad_id: int
    max_tokens: int

    def rows(self, queries: Sequence[str], documents: Sequence[str]) -> list[PairRow]:
        """Rows of n pairs; the texts are normalised."""
        *first, last = self.tokenizer.encode("").ids
        cap = (self.max_tokens - len(first) - 2) // 2
        asked = {query: self._ids([query])[0][:cap] for query in dict.fromkeys(queries)}
        rows = []
        for query, ids in zip(queries, self._ids(documents), strict=True):
            head = [*first, *asked[query], last]
            tail = [*ids[: self.max_tokens - len(head) - 1], last]
            rows.append((head + tail, [0] * len(head) + [1] * len(tail)))
        return rows

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]


@torch.inference_mode()
def pair_logits(model: nn.Module, layout: PairLayout, queries: Sequence[str], documents: Sequence[str]) -> Floats:
    """Logits (n,) float32 of pairs; `model` takes ids, mask and types (n, t)."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    rows = layout.rows(queries, documents)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row][0]))
    logits = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        batch = (tensor.to(device) for tensor in pad_pairs([rows[row] for row in chosen], layout.pad_id))
        logits[chosen] = model(*batch).float().cpu().numpy()
    model.train(was_training)
    return logits
