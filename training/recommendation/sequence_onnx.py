"""Writes the history encoder as history.onnx, which the embedder serves."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from training.recommendation.sequence_model import HistoryEncoder, SequenceModel

OPSET = 17


class _Served(nn.Module):
    """The encoder with the inputs that serving gives. It reads no ages, and of event types only where they end."""

    def __init__(self, encoder: HistoryEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, items: Tensor, event_types: Tensor, ages: Tensor) -> Tensor:
        vectors: Tensor = self.encoder(items, (event_types != 0).sum(1))
        return vectors + 0.0 * ages[:, :1]


def export_sequence(model: SequenceModel, path: Path) -> None:
    """Float32 graph, batch and length free: `items`, `event_types` and `ages` to `vectors` (batch, d), L2-normalised.

    `items` (batch, length, d) float32 behaviour vectors, oldest first, right-padded with zeros; `event_types`
    (batch, length) int64, 0 = padding; `ages` (batch, length) float32, log1p of seconds.
    """
    shape = {0: "batch", 1: "length"}
    names = ["items", "event_types", "ages"]
    sample = (torch.zeros(2, 3, model.dim), torch.ones(2, 3, dtype=torch.int64), torch.zeros(2, 3))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that it reads
        torch.onnx.export(
            _Served(model.encoder).eval(),
            sample,
            str(path),
            input_names=names,
            output_names=["vectors"],
            dynamic_axes={**dict.fromkeys(names, shape), "vectors": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
