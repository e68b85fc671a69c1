"""The sequence model: a causal transformer over a visitor's history, in one space with the products.

After SASRec (Kang and McAuley 2018), with pre-norm layers (Xiong et al. 2020) and a learned bias for each distance
between two events (Shaw et al. 2018; Raffel et al. 2020) in place of positions. Inputs and outputs are tied: the vector
of a product is read by the encoder and told by the softmax, as the cosine to the encoder's vector over a temperature.
A product's vector starts from its text, and a residual is what behaviour adds; dropping whole residuals in training
teaches the model to do without (DropoutNet, Volkovs et al. 2017), as it must for a product without events.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.e5_weights import Floats
from training.recommendation.interactions import Integers
from training.recommendation.sequence_batches import padded

_ENCODED_AT_ONCE = 512  # histories
_RESIDUAL_NORM = 0.1


class Dropout(nn.Module):
    """Dropout in steps of 1/256, from random bytes: torch's own draws take a quarter of a training step on a CPU."""

    def __init__(self, share: float, generator: np.random.Generator) -> None:
        super().__init__()
        self._dropped, self._generator = round(share * 256), generator

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self._dropped:
            return values
        drawn = self._generator.integers(0, 256, size=tuple(values.shape), dtype=np.uint8)
        kept = torch.from_numpy(drawn) >= self._dropped
        return values * kept.float().mul_(256 / (256 - self._dropped))


class ProductVectors(nn.Module):
    """Vectors of products (P, d), L2-normalised: normalise(text @ projection + bias + residual)."""

    def __init__(self, products: int, dim: int, text: Floats | None, residual_dropout: float) -> None:
        super().__init__()
        self._residual_dropout = residual_dropout if text is not None else 0.0
        self.register_buffer("text", None if text is None else torch.from_numpy(text), persistent=False)
        projection, bias = _principal_directions(text, dim) if text is not None else (torch.zeros(0, dim), None)
        self.projection = nn.Parameter(projection)
        self.bias = nn.Parameter(torch.zeros(dim) if bias is None else bias)
        # Norms: text starts at 1. Behaviour alone needs as much; beside text it starts small and grows where it knows.
        norm = 1.0 if text is None else _RESIDUAL_NORM
        self.residuals = nn.Parameter(torch.randn(products, dim) * (norm / math.sqrt(dim)))

    def forward(self) -> Tensor:
        values: Tensor = self.residuals
        if self.training and self._residual_dropout:
            values = values * (torch.rand(len(values), 1) >= self._residual_dropout)
        if isinstance(self.text, Tensor):
            values = values + self.text @ self.projection + self.bias
        return functional.normalize(values, dim=1)


def _principal_directions(text: Floats, dim: int) -> tuple[Tensor, Tensor]:
    """Projection (text_dim, d) and bias (d,) under which products start with norms about 1, near those of like text."""
    mean = text.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(text.T))
    projection = np.zeros((text.shape[1], dim), dtype=np.float32)
    kept = directions[:, ::-1][:, :dim]
    projection[:, : kept.shape[1]] = kept / max(1e-6, np.linalg.norm((text - mean) @ kept, axis=1).mean())
    return torch.from_numpy(projection), torch.from_numpy((-mean @ projection).astype(np.float32))


class HistoryEncoder(nn.Module):
    """Vectors of histories, given the vectors of their products, oldest first, right-padded."""

    def __init__(
        self,
        dim: int,
        layers: int,
        heads: int,
        max_history: int,
        dropout: float,
        input_dropout: float,
        generator: np.random.Generator,
    ) -> None:
        super().__init__()
        self.norm_in, self.norm_out = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.layers = nn.ModuleList(_Layer(dim, heads, max_history, dropout, generator) for _ in range(layers))
        self.out = nn.Linear(dim, dim)
        self.input_dropout = Dropout(input_dropout, generator)
        for linear in (module for module in self.modules() if isinstance(module, nn.Linear)):
            nn.init.normal_(linear.weight, std=0.16 / math.sqrt(dim))
            nn.init.zeros_(linear.bias)
        nn.init.eye_(self.out.weight)

    def every_place(self, items: Tensor) -> Tensor:
        """Vectors (batch, length, d) of the histories that end at each item of `items` (batch, length, d)."""
        values = self.input_dropout(self.norm_in(items))
        for layer in self.layers:
            values = layer(values)
        return functional.normalize(self.out(self.norm_out(values)), dim=-1)

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Vectors (batch, d), L2-normalised, of histories of `lengths` (batch,); padding changes nothing."""
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, items.shape[2])
        return self.every_place(items).gather(1, last)[:, 0]


class _Layer(nn.Module):
    """Attention to what came before, then a feed-forward step, each on normalised input and added."""

    def __init__(self, dim: int, heads: int, max_history: int, dropout: float, generator: np.random.Generator) -> None:
        super().__init__()
        self._heads = heads
        self.norm_attention, self.norm_forward = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query_key_value, self.mix = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.wide, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.distance_bias = nn.Parameter(torch.zeros(heads, max_history))
        self.dropout = Dropout(dropout, generator)

    def forward(self, values: Tensor) -> Tensor:
        batch, length, dim = values.shape
        split = self.query_key_value(self.norm_attention(values)).view(batch, length, 3, self._heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        places = torch.arange(length)
        distances = places[:, None] - places[None, :]
        bias = self.distance_bias[:, distances.clamp(0, self.distance_bias.shape[1] - 1)]
        logits = query @ key.transpose(-1, -2) / math.sqrt(dim // self._heads) + bias
        attention = logits.masked_fill(distances < 0, -1e9).softmax(-1)
        attended = (self.dropout(attention) @ value).transpose(1, 2).reshape(batch, length, dim)
        values = values + self.dropout(self.mix(attended))
        forward: Tensor = values + self.dropout(self.narrow(functional.gelu(self.wide(self.norm_forward(values)))))
        return forward


@dataclass(frozen=True)
class SequenceModel:
    """A trained sequence model. P(next product) = softmax(cosine / temperature) over products not in the history."""

    encoder: HistoryEncoder
    projection: Floats  # (text_dim, d); (0, d) when there was no text
    bias: Floats  # (d,)
    residuals: Floats  # (products, d)
    text_vectors: Floats | None  # (products, text_dim) that it was trained with
    temperature: float
    max_history: int
    before_last: "SequenceModel | None" = None  # the same before it saw the last event of each history

    @property
    def dim(self) -> int:
        """Width d of the behaviour space."""
        return int(self.residuals.shape[1])

    def product_vectors(self) -> Floats:
        """Behaviour vectors (products, d) float32, L2-normalised."""
        values = self.residuals
        if self.text_vectors is not None:
            values = values + self.text_vectors @ self.projection + self.bias
        vectors: Floats = values / np.linalg.norm(values, axis=1, keepdims=True).clip(1e-12)
        return vectors

    def encode(self, histories: Sequence[Integers]) -> Floats:
        """Vectors (n, d) float32, L2-normalised, of histories of product numbers, oldest first, each at least one."""
        products = torch.from_numpy(self.product_vectors())
        vectors = np.zeros((len(histories), self.dim), dtype=np.float32)
        order = np.argsort([len(history) for history in histories], kind="stable")
        with torch.inference_mode():
            for start in range(0, len(order), _ENCODED_AT_ONCE):
                rows = order[start : start + _ENCODED_AT_ONCE]
                items, lengths = padded([histories[row][-self.max_history :] for row in rows])
                vectors[rows] = self.encoder(products[items], lengths).numpy()
        return vectors
