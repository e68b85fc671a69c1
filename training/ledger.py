"""A ledger of compression: what each step did to size, latency and quality, kept in the bundle's card."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vitrine.bundle import Bundle, BundleKind, load_bundle, write_bundle

_ROUNDS = 60
_TOKENS = 10  # a query's length


@dataclass(frozen=True)
class Step:
    """One compression step and the model that it left."""

    name: str
    model: Path
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Entry:
    """One line: size in megabytes, median latency of a 10-token query and its ratio to the step before, quality."""

    step: str
    size_mb: float
    latency_ms: float
    ratio_to_previous: float
    figures: Mapping[str, float]


def measure(steps: Sequence[Step]) -> list[Entry]:
    """Entries in order. All models are timed in turns within one run, so that the machine's load falls on all alike."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(str(step.model), options) for step in steps]
    ids = np.arange(4, 4 + _TOKENS, dtype=np.int64)[None, :]
    feeds = [_feed(session, ids) for session in sessions]
    taken: list[list[float]] = [[] for _ in steps]
    for _ in range(_ROUNDS):
        for times, session, feed in zip(taken, sessions, feeds, strict=True):
            started = time.perf_counter()
            session.run(None, feed)
            times.append((time.perf_counter() - started) * 1_000)
    latencies = [statistics.median(times) for times in taken]
    return [
        Entry(
            step.name,
            round(step.model.stat().st_size / 1e6, 2),
            round(latency, 3),
            round(latency / (latencies[at - 1] if at else latency), 3),
            step.figures,
        )
        for at, (step, latency) in enumerate(zip(steps, latencies, strict=True))
    ]


def _feed(session: onnxruntime.InferenceSession, ids: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    values = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return {given.name: values[given.name] for given in session.get_inputs()}


def enter(folder: Path, kind: BundleKind, entries: Sequence[Entry]) -> Bundle:
    """Write the ledger into the bundle's card; its digest stays, as the card does not change answers."""
    manifest = load_bundle(folder, kind).manifest
    lineage = {**manifest.lineage, "ledger": [asdict(entry) for entry in entries]}
    return write_bundle(folder, manifest.model_copy(update={"lineage": lineage}))
