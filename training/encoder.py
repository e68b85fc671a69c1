"""The torch BERT encoder that training works on, with mean pooling; vectors come out L2-normalised."""

from collections.abc import Mapping, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from training.e5_weights import Floats


def build_bert(
    tensors: Mapping[str, Floats], heads: int, pad_id: int, eps: float = 1e-12, dropout: float = 0.0
) -> BertModel:
    """A BertModel without pooler whose shape is read off its tensors."""
    words = tensors["embeddings.word_embeddings.weight"]
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))
    config = BertConfig(
        vocab_size=words.shape[0],
        hidden_size=words.shape[1],
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=tensors["encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=tensors["embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=tensors["embeddings.token_type_embeddings.weight"].shape[0],
        layer_norm_eps=eps,
        pad_token_id=pad_id,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in tensors.items()}, strict=True)
    return model


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of the token states where mask is 1, L2-normalised; (n, t, d) and (n, t) -> (n, d). No token gives zeros."""
    return nn.functional.normalize(mean_states(states, mask), dim=-1, eps=1e-12)


def mean_states(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of the token states where mask is 1; (n, t, d) and (n, t) -> (n, d). No token gives zeros."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)


def additive_mask(mask: Tensor) -> Tensor:
    """(n, t) ones and zeros -> (n, 1, 1, t) zeros and large negatives, added to attention scores."""
    return (1.0 - mask[:, None, None, :].to(torch.float32)) * -10000.0


class Encoder(nn.Module):
    """BERT body + mean pooling: token ids and mask (n, t) int64 -> vectors (n, d) float32, L2-normalised."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.to(self.bert.device)
        ids = input_ids.to(self.bert.device)
        states = self.bert(input_ids=ids, attention_mask=additive_mask(mask)).last_hidden_state
        return mean_pool(states, mask)


def pad_batch(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Token rows -> ids and mask, both (n, longest) int64."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.int64)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[index, : len(row)] = 1
    return ids, mask


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids with specials; longer texts lose tokens before the closing special."""
    rows: list[list[int]] = []
    for encoding in tokenizer.encode_batch(list(texts)):
        ids = encoding.ids
        rows.append(ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]])
    return rows


@torch.inference_mode()
def encode(encoder: nn.Module, rows: Sequence[Sequence[int]], pad_id: int, batch_tokens: int = 4096) -> Floats:
    """Vectors (n, d) for at least one token row, computed in batches of similar length, in the order given.

    `encoder` takes ids and mask (n, t) and gives vectors (n, d).
    """
    was_training = encoder.training
    encoder.eval()
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    out = torch.empty(0)
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, len(rows[order[min(start + 127, len(order) - 1)]])))
        chosen = order[start : start + min(size, 128)]
        ids, mask = pad_batch([rows[index] for index in chosen], pad_id)
        vectors = encoder(ids, mask).float().cpu()
        out = torch.empty((len(rows), vectors.shape[1])) if start == 0 else out
        out[chosen] = vectors
        start += len(chosen)
    encoder.train(was_training)
    result: Floats = out.numpy()
    return result
