"""Inference: one session per model, ONNX Runtime or torch behind the same seam."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from vitrine import huge_pages
from vitrine.bundle import Bundle
from vitrine.compute import ComputeBudget
from vitrine.errors import FailedPrecondition, Internal
from vitrine.vectors import FloatArray

Runtime = Literal["onnxruntime", "torch"]
TokenIds = Sequence[int]
IntArray = NDArray[np.int64]

ONNX_FILE = "model.onnx"
SAFETENSORS_FILE = "model.safetensors"

_NOT_FINITE = Counter("vitrine_inference_not_finite_rows", "Model outputs that held NaN or infinity", ["model"])
# Weights are held once as the file has them and once as the kernels want them; the rest is room for runs: one of 256
# tokens takes about 6 MiB in the models that ship, in each thread.
_MEMORY_PER_WEIGHT_BYTE = 2
_LEAST_RUN_MEMORY_BYTES = 64 * 2**20
_RUN_MEMORY_BYTES = 8 * 2**20


class Session(Protocol):
    """A loaded model."""

    runtime: Runtime

    def run(
        self, ids: Sequence[TokenIds], type_ids: Sequence[TokenIds] | None = None
    ) -> Sequence[FloatArray | Internal]:
        """One output for each row of token ids: (dim,) float32, L2-normalised, or for a ranker a () float32 logit.

        Rows are padded to the longest. An output that is not finite becomes `Internal` in its place and is counted.
        CPU work on the calling thread alone: call it through `ComputeBudget.run_model`, from several threads at once.
        """
        ...


def load_session(bundle: Bundle, budget: ComputeBudget, runtime: Runtime = "onnxruntime") -> Session:
    """Loads the bundle's model into the memory of `budget`. CPU work, seconds for big models.

    Raises FailedPrecondition when memory does not suffice, or the model's file is missing or not as it should be.
    """
    weights = bundle.path(ONNX_FILE if runtime == "onnxruntime" else SAFETENSORS_FILE)
    budget.reserve(f"model {bundle.manifest.name} ({weights})", memory_need_bytes(weights, budget.threads))
    if runtime == "onnxruntime":
        session = OnnxSession(bundle, weights)
        huge_pages.collapse()
        return session
    # torch is not among the serving dependencies and takes seconds to import.
    from vitrine.torch_inference import TorchSession

    return TorchSession(bundle, weights)


def padded(rows: Sequence[TokenIds], filler: int = 0) -> IntArray:
    """Rows of any length as one (n, longest) int64 array, filled up on the right."""
    array = np.full((len(rows), max(map(len, rows))), filler, dtype=np.int64)
    for index, row in enumerate(rows):
        array[index, : len(row)] = row
    return array


def attention_mask(rows: Sequence[TokenIds]) -> IntArray:
    """(n, longest) int64: 1 where `padded` holds a token, 0 where it holds filler."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    return (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)


def finite_rows(model: str, outputs: FloatArray) -> list[FloatArray | Internal]:
    """The rows of (n, …) float32, with `Internal` in place of those that hold NaN or infinity, which are counted."""
    finite = np.atleast_1d(np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1))
    _NOT_FINITE.labels(model).inc(int((~finite).sum()))
    return [
        row if good else Internal(f"model {model} gave a number that is not finite", reason="NOT_FINITE")
        for row, good in zip(outputs, finite, strict=True)
    ]


def open_onnx(weights: Path) -> Any:
    """The `onnxruntime.InferenceSession` of a model's file, on the CPU.

    A run computes in its caller's thread alone; several run at a time in the threads of a budget.
    Raises FailedPrecondition when the file cannot be loaded.
    """
    # Its telemetry starts with the import, keeps a device id under HOME, and has no other switch that stops it.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Memory patterns are kept for each shape that was ever seen, and here every batch has its own.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise FailedPrecondition(f"ONNX Runtime cannot load {weights}: {error}") from error


def memory_need_bytes(weights: Path, threads: int) -> int:
    """What to reserve in the budget for a model's file, in which so many threads may compute at a time."""
    room = max(_LEAST_RUN_MEMORY_BYTES, threads * _RUN_MEMORY_BYTES)
    return weights.stat().st_size * _MEMORY_PER_WEIGHT_BYTE + room


class OnnxSession:
    """A bundle's model.onnx in ONNX Runtime, on the CPU."""

    runtime: Runtime = "onnxruntime"

    def __init__(self, bundle: Bundle, weights: Path) -> None:
        self._name = bundle.manifest.name
        self._pad_id = bundle.manifest.pad_id
        self._session = open_onnx(weights)
        needed = {"input_ids", "attention_mask"} | ({"token_type_ids"} if bundle.manifest.kind == "ranker" else set())
        self._inputs = {tensor.name for tensor in self._session.get_inputs()}
        self._output = "vectors" if bundle.manifest.kind == "embedder" else "logits"
        outputs = {tensor.name for tensor in self._session.get_outputs()}
        if self._inputs - {"token_type_ids"} != needed - {"token_type_ids"} or not needed <= self._inputs:
            raise FailedPrecondition(f"{weights} has the inputs {sorted(self._inputs)}; {sorted(needed)} are needed")
        if self._output not in outputs:
            raise FailedPrecondition(f"{weights} has the outputs {sorted(outputs)}; {self._output!r} is needed")

    def run(
        self, ids: Sequence[TokenIds], type_ids: Sequence[TokenIds] | None = None
    ) -> Sequence[FloatArray | Internal]:
        """See `Session.run`."""
        feed: dict[str, Any] = {"input_ids": padded(ids, self._pad_id), "attention_mask": attention_mask(ids)}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(feed["input_ids"]) if type_ids is None else padded(type_ids)
        (outputs,) = self._session.run([self._output], feed)
        return finite_rows(self._name, outputs.astype(np.float32, copy=False))
