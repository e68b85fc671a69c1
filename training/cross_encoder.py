"""The torch cross-encoder that ranker training works on: query and product in one sequence -> one logit."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import BertModel

from training.e5_weights import Floats
from training.encoder import additive_mask


class CrossEncoder(nn.Module):
    """BERT body, mean of the token states, tanh layer, one output: ids, mask, types (n, t) -> logits (n,) float32.

    The mean, not the first token's state: the body was trained with mean pooling, so its mean already tells texts
    apart.
    """

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert
        hidden: int = bert.config.hidden_size
        self.dense = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        nn.init.eye_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)
        nn.init.normal_(self.out.weight, std=0.02)
        nn.init.zeros_(self.out.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        ids, mask, types = (values.to(self.bert.device) for values in (input_ids, attention_mask, token_type_ids))
        states = self.bert(input_ids=ids, attention_mask=additive_mask(mask), token_type_ids=types).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
        logits: Tensor = self.out(torch.tanh(self.dense(mean))).squeeze(-1)
        return logits

    def tensors(self) -> dict[str, Floats]:
        """All weights by name as the ONNX writer wants them."""
        found = {name: value.detach().numpy() for name, value in self.bert.state_dict().items()}
        head = {"dense": self.dense, "out": self.out}
        for name, layer in head.items():
            found[f"head.{name}.weight"] = layer.weight.detach().numpy()
            found[f"head.{name}.bias"] = layer.bias.detach().numpy()
        return found

    def load_head(self, tensors: Mapping[str, Floats]) -> None:
        for name, layer in (("dense", self.dense), ("out", self.out)):
            layer.load_state_dict(
                {kind: torch.from_numpy(tensors[f"head.{name}.{kind}"].copy()) for kind in ("weight", "bias")}
            )


def pair_row(
    query: Sequence[int], product: Sequence[int], max_tokens: int, opening: int = 1
) -> tuple[list[int], list[int]]:
    """`<s> query </s> product </s>` with types 0 and 1; both inputs carry their specials; only the product is cut.

    `opening`: how many special tokens come before a text, 0 with T5 and GPT.
    """
    tail = list(product[opening:])
    room = max(1, max_tokens - len(query))
    if len(tail) > room:
        tail = [*tail[: room - 1], tail[-1]]
    return [*query, *tail], [0] * len(query) + [1] * len(tail)


def pad_pairs(pairs: Sequence[tuple[list[int], list[int]]], pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pair rows -> ids, mask, types, each (n, longest) int64."""
    width = max(len(ids) for ids, _ in pairs)
    shape = (len(pairs), width)
    ids = torch.full(shape, pad_id, dtype=torch.int64)
    mask, types = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)
    for row, (tokens, kinds) in enumerate(pairs):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        types[row, : len(kinds)] = torch.tensor(kinds, dtype=torch.int64)
        mask[row, : len(tokens)] = 1
    return ids, mask, types
