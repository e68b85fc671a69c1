"""Fewer layers of any backbone, evenly spaced (Sajjad et al. 2020, "Poor Man's BERT")."""

from torch import nn
from transformers import PreTrainedModel

from training.errors import TrainingError


def keep_model_layers(model: PreTrainedModel, count: int) -> None:
    """Keep `count` of the model's layers, in place: the first, the last and evenly between.

    The first stays because T5 keeps its position bias there. Raises TrainingError when the model has fewer.
    """
    layers = int(model.config.num_hidden_layers)
    if not 1 <= count <= layers:
        raise TrainingError(f"cannot keep {count} layers of a base that has {layers}")
    stack = next(
        (part for part in model.modules() if isinstance(part, nn.ModuleList) and len(part) == layers and layers), None
    )
    if stack is None:
        raise TrainingError(f"cannot keep {count} layers: the base's layers are not in one list")
    kept = [round(place * (layers - 1) / (count - 1)) for place in range(count)] if count > 1 else [0]
    chosen = [stack[number] for number in kept]
    while len(stack):
        del stack[-1]
    stack.extend(chosen)
    for number, layer in enumerate(chosen):
        for part in layer.modules():
            if hasattr(part, "layer_idx"):  # the place of its keys in a cache
                part.layer_idx = number  # type: ignore[assignment]
    model.config.num_hidden_layers = count
