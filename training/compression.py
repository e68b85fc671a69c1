"""Makes an encoder smaller by structure: fewer layers, narrower feed-forward blocks; distillation repairs it after.

Layers: evenly spaced ones are kept (Sajjad et al. 2020). Feed-forward units: those with the largest product of in- and
outgoing weight lengths are kept (magnitude pruning of whole units, Li et al. 2017).
"""

import re
from collections.abc import Mapping

import numpy as np

from training.e5_weights import Floats
from training.errors import TrainingError

_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)")


def layer_count(tensors: Mapping[str, Floats]) -> int:
    """How many encoder layers the tensors hold."""
    return 1 + max(int(match.group(1)) for name in tensors if (match := _LAYER.match(name)))


def keep_layers(tensors: Mapping[str, Floats], count: int) -> dict[str, Floats]:
    """The encoder with `count` of its layers: evenly spaced, the last among them, renumbered."""
    layers = layer_count(tensors)
    if not 1 <= count <= layers:
        raise TrainingError(f"cannot keep {count} layers of an encoder that has {layers}")
    kept = [round((position + 1) * layers / count) - 1 for position in range(count)]
    number = {old: new for new, old in enumerate(kept)}
    smaller: dict[str, Floats] = {}
    for name, values in tensors.items():
        match = _LAYER.match(name)
        if match is None:
            smaller[name] = values
        elif int(match.group(1)) in number:
            smaller[f"encoder.layer.{number[int(match.group(1))]}.{match.group(2)}"] = values
    return smaller


def narrow_feed_forward(tensors: Mapping[str, Floats], width: int) -> dict[str, Floats]:
    """The encoder with `width` feed-forward units in each layer: those that weigh most."""
    smaller = dict(tensors)
    for layer in range(layer_count(tensors)):
        wide, narrow = (f"encoder.layer.{layer}.{part}.dense." for part in ("intermediate", "output"))
        into, out = tensors[wide + "weight"], tensors[narrow + "weight"]
        if not 1 <= width <= into.shape[0]:
            raise TrainingError(f"cannot keep {width} feed-forward units of {into.shape[0]}")
        importance = np.linalg.norm(into, axis=1) * np.linalg.norm(out, axis=0)
        kept = np.sort(np.argsort(-importance, kind="stable")[:width])
        smaller[wide + "weight"], smaller[wide + "bias"] = into[kept], tensors[wide + "bias"][kept]
        smaller[narrow + "weight"] = np.ascontiguousarray(out[:, kept])
    return smaller
