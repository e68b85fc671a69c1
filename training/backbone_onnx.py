"""Writes any backbone as ONNX through torch's exporter, in int8 where that leaves a text's answer alone."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from training.backbones import BackboneEncoder, BackboneRanker, has_types
from training.e5_weights import Floats

OPSET = 17
# What a text's vector (cosine) or a pair's logit may differ by: beside others from alone, and in int8 from float32.
_BATCH = {"cosine": 0.9999, "logit": 0.01}
_INT8 = {"cosine": 0.99, "logit": 0.1}


class _WithTypes(nn.Module):
    """A ranker whose backbone has no token types, with the input all the same: serving gives it to every ranker."""

    def __init__(self, ranker: BackboneRanker) -> None:
        super().__init__()
        self.ranker = ranker

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        logits: Tensor = self.ranker(input_ids, attention_mask, token_type_ids)
        return logits + 0.0 * token_type_ids[:, 0]


def export_backbone(module: BackboneEncoder | BackboneRanker, path: Path) -> None:
    """Float32 ONNX with the same inputs and outputs as the shipped bundles', batch and length free."""
    ranker = isinstance(module, BackboneRanker)
    graph: nn.Module = module
    if isinstance(module, BackboneRanker) and not has_types(module.model):
        graph = _WithTypes(module)
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if ranker else [])]
    output = "logits" if ranker else "vectors"
    shape = {0: "batch", 1: "length"}
    sample = torch.ones((2, 6), dtype=torch.int64)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that it reads
        torch.onnx.export(
            graph.eval(),
            tuple(sample for _ in names),
            str(path),
            input_names=names,
            output_names=[output],
            dynamic_axes={**dict.fromkeys(names, shape), output: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )


def quantize_backbone(source: Path, target: Path, rows: Sequence[list[int]]) -> str:
    """Int8 weights and activations by ONNX Runtime's dynamic quantisation; "" when `target` was written.

    Its activations have one scale for a whole batch, so a text's answer can depend on the texts beside it. Where an
    answer to one of the sample `rows` moves so by more than rounding, or lies far from float32's, nothing is written,
    and the reason is returned.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
    plain, int8 = (
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (source, target)
    )
    beside = _outputs(int8, rows)
    alone = np.concatenate([_outputs(int8, [row]) for row in rows])
    reason = _differs(beside, alone, _BATCH, "moves with its batch")
    reason = reason or _differs(beside, _outputs(plain, rows), _INT8, "differs from float32's")
    if reason:
        target.unlink()
    return reason


def _differs(given: Floats, expected: Floats, allowed: dict[str, float], what: str) -> str:
    if given.ndim == 2:
        cosine = float((given * expected).sum(axis=1).min())
        return "" if cosine >= allowed["cosine"] else f"a text's vector {what} (cosine {cosine:.4f})"
    moved = float(np.abs(given - expected).max())
    return "" if moved <= allowed["logit"] else f"a pair's logit {what} (by {moved:.3f})"


def _outputs(session: onnxruntime.InferenceSession, rows: Sequence[list[int]]) -> Floats:
    width = max(map(len, rows))
    ids = np.zeros((len(rows), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    names = {tensor.name for tensor in session.get_inputs()}
    outputs: Floats = session.run(None, {name: values for name, values in feed.items() if name in names})[0]
    return outputs
