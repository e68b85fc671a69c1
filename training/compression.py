"""Makes an encoder smaller by structure: fewer layers, feed-forward units and heads; distillation repairs it after.

Layers: evenly spaced ones are kept (Sajjad et al. 2020). Feed-forward units: those with the largest product of in- and
outgoing weight lengths are kept (magnitude pruning of whole units, Li et al. 2017). Heads: those whose absence changes
most (Michel et al. 2019), as many in each layer, because one graph operator computes a layer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertModel

from training.e5_weights import Floats
from training.errors import TrainingError

KeptHeads = tuple[tuple[int, ...], ...]  # numbers of the heads kept, by layer

_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)")


def layer_count(tensors: Mapping[str, Floats]) -> int:
    """How many encoder layers the tensors hold."""
    return 1 + max(int(match.group(1)) for name in tensors if (match := _LAYER.match(name)))


def keep_layers(tensors: Mapping[str, Floats], count: int) -> dict[str, Floats]:
    """The encoder with `count` of its layers: evenly spaced, the last among them, renumbered."""
    layers = layer_count(tensors)
    if not 1 <= count <= layers:
        raise TrainingError(f"cannot keep {count} layers of an encoder that has {layers}")
    return take_layers(tensors, [round((position + 1) * layers / count) - 1 for position in range(count)])


def take_layers(tensors: Mapping[str, Floats], kept: Sequence[int]) -> dict[str, Floats]:
    """The encoder with these of its layers, renumbered."""
    number = {old: new for new, old in enumerate(kept)}
    smaller: dict[str, Floats] = {}
    for name, values in tensors.items():
        match = _LAYER.match(name)
        if match is None:
            smaller[name] = values
        elif int(match.group(1)) in number:
            smaller[f"encoder.layer.{number[int(match.group(1))]}.{match.group(2)}"] = values
    return smaller


def narrow_feed_forward(
    tensors: Mapping[str, Floats], width: int, weights: Sequence[Floats] | None = None
) -> dict[str, Floats]:
    """The encoder with `width` feed-forward units in each layer: those that weigh most.

    `weights`: what each layer's units (units,) weigh, where that was measured.
    """
    smaller = dict(tensors)
    for layer in range(layer_count(tensors)):
        wide, narrow = (f"encoder.layer.{layer}.{part}.dense." for part in ("intermediate", "output"))
        into, out = tensors[wide + "weight"], tensors[narrow + "weight"]
        if not 1 <= width <= into.shape[0]:
            raise TrainingError(f"cannot keep {width} feed-forward units of {into.shape[0]}")
        lengths = np.linalg.norm(into, axis=1) * np.linalg.norm(out, axis=0)
        importance = lengths if weights is None else weights[layer]
        kept = np.sort(np.argsort(-importance, kind="stable")[:width])
        smaller[wide + "weight"], smaller[wide + "bias"] = into[kept], tensors[wide + "bias"][kept]
        smaller[narrow + "weight"] = np.ascontiguousarray(out[:, kept])
    return smaller


def silence_heads(model: BertModel, kept: KeptHeads) -> None:
    """Let the other heads of each layer add nothing, whatever their weights: the model computes without them."""
    size = model.config.hidden_size // model.config.num_attention_heads
    layers: Any = model.encoder.layer
    for layer, heads in zip(layers, kept, strict=True):
        mask = torch.zeros(model.config.hidden_size)
        for head in heads:
            mask[head * size : (head + 1) * size] = 1.0

        def silence(_: nn.Module, inputs: tuple[Tensor, ...], mask: Tensor = mask) -> tuple[Tensor, ...]:
            return (inputs[0] * mask.to(inputs[0].device), *inputs[1:])

        layer.attention.output.dense.register_forward_pre_hook(silence)


def without_heads(tensors: Mapping[str, Floats], heads: int, kept: KeptHeads) -> dict[str, Floats]:
    """The encoder without the heads that `silence_heads` silences; attention gets narrower than the states."""
    smaller = dict(tensors)
    for layer, numbers in enumerate(kept):
        prefix = f"encoder.layer.{layer}.attention."
        size = tensors[prefix + "self.query.weight"].shape[0] // heads
        rows = np.concatenate([np.arange(head * size, (head + 1) * size) for head in numbers])
        for part in ("query", "key", "value"):
            for what in ("weight", "bias"):
                smaller[f"{prefix}self.{part}.{what}"] = tensors[f"{prefix}self.{part}.{what}"][rows]
        smaller[prefix + "output.dense.weight"] = np.ascontiguousarray(tensors[prefix + "output.dense.weight"][:, rows])
    return smaller


def choose_heads(layers: int, heads: int, count: int, change: Callable[[KeptHeads], float]) -> KeptHeads:
    """Which `count` heads of each layer to keep: those whose absence alone changes the answers most.

    `change` tells how much the answers change when only the given heads are left. Raises TrainingError for a count
    that can't be kept.
    """
    if not 1 <= count <= heads:
        raise TrainingError(f"cannot keep {count} attention heads of {heads}")
    every = tuple(range(heads))
    kept = []
    for layer in range(layers):
        changes = []
        for head in every:
            left = tuple(tuple(h for h in every if h != head) if at == layer else every for at in range(layers))
            changes.append(change(left))
        kept.append(tuple(sorted(sorted(every, key=lambda head: -changes[head])[:count])))
    return tuple(kept)
