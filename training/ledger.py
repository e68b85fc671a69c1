"""A ledger of compression: what each step did to size, latency and quality, kept in the bundle's card."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from training.errors import TrainingError
from vitrine.bundle import Bundle, BundleKind, load_bundle, write_bundle
from vitrine.inference import ONNX_FILE
from vitrine.tokenization import TOKENIZER_FILE

_FIRST_ID = 4  # below it lie the special tokens
_IDS = 16  # as many different tokens: every vocabulary has them


@dataclass(frozen=True)
class Workload:
    """What is timed: so many sequences of so many tokens in one call, and in how many rounds; on one thread."""

    sequences: int
    tokens: int
    rounds: int

    @property
    def words(self) -> str:
        what = "query" if self.sequences == 1 else "pairs"
        return f"{self.sequences} {what} of {self.tokens} tokens, one thread, median of {self.rounds}"


WORKLOADS: Mapping[BundleKind, Workload] = {"embedder": Workload(1, 10, 60), "ranker": Workload(50, 48, 12)}


@dataclass(frozen=True)
class Step:
    """One compression step: the folder of the model that it left (model.onnx, tokenizer.json) and its quality.

    `after`: the name of the step that it follows, when that is not the one before it: variants of one step.
    """

    name: str
    folder: Path
    figures: Mapping[str, float] = field(default_factory=dict)
    after: str = ""


@dataclass(frozen=True)
class Entry:
    """One line: megabytes of model and tokenizer, median latency and its ratios within the same run, quality."""

    step: str
    size_mb: float
    latency_ms: float
    ratio_to_previous: float
    ratio_to_first: float
    figures: Mapping[str, float]


def measure(steps: Sequence[Step], kind: BundleKind) -> list[Entry]:
    """Entries in order. All models are timed in turns within one run, so that the machine's load falls on all alike.

    Raises TrainingError when a model can't be loaded.
    """
    work = WORKLOADS[kind]
    sessions = [_session(step.folder / ONNX_FILE) for step in steps]
    feeds = [_feed(session, work) for session in sessions]
    taken: list[list[float]] = [[] for _ in steps]
    names = [step.name for step in steps]
    befores = [names.index(step.after) if step.after else max(0, at - 1) for at, step in enumerate(steps)]
    for round_number in range(work.rounds + 1):
        for times, session, feed in zip(taken, sessions, feeds, strict=True):
            started = time.perf_counter()
            session.run(None, feed)
            if round_number:  # the first run also sets up memory
                times.append((time.perf_counter() - started) * 1_000)
    return [
        Entry(
            step.name,
            round(served_bytes(step.folder) / 1e6, 2),
            round(statistics.median(taken[at]), 3),
            _ratio(taken[at], taken[befores[at]]),
            _ratio(taken[at], taken[0]),
            {name: round(value, 5) for name, value in step.figures.items()},
        )
        for at, step in enumerate(steps)
    ]


def _ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios round by round: what slows one round slows both, and falls out."""
    return round(statistics.median(one / other for one, other in zip(times, others, strict=True)), 3)


def served_bytes(folder: Path) -> int:
    """Bytes of what serving reads: model and tokenizer."""
    return sum(path.stat().st_size for name in (ONNX_FILE, TOKENIZER_FILE) if (path := folder / name).exists())


def enter(folder: Path, kind: BundleKind, entries: Sequence[Entry], **more: Any) -> Bundle:
    """Write the ledger into the bundle's card; its digest stays, as the card does not change answers.

    `more` goes beside it into the lineage.
    """
    manifest = load_bundle(folder, kind).manifest
    return write_bundle(
        folder, manifest.model_copy(update={"lineage": {**manifest.lineage, **ledger(kind, entries), **more}})
    )


def ledger(kind: BundleKind, entries: Sequence[Entry]) -> dict[str, Any]:
    """The ledger as the card holds it: the lines, and what their latency is of."""
    return {"ledger": [asdict(entry) for entry in entries], "ledger_latency_of": WORKLOADS[kind].words}


def _session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise TrainingError(f"ONNX Runtime cannot load {model}: {str(error).splitlines()[0]}") from error


def _feed(session: onnxruntime.InferenceSession, work: Workload) -> dict[str, NDArray[np.int64]]:
    places = np.arange(work.sequences * work.tokens, dtype=np.int64).reshape(work.sequences, work.tokens)
    values = {
        "input_ids": _FIRST_ID + places % _IDS,
        "attention_mask": np.ones_like(places),
        "token_type_ids": (np.arange(work.tokens) >= work.tokens // 4)[None, :]
        .repeat(work.sequences, 0)
        .astype(np.int64),
    }
    return {given.name: values[given.name] for given in session.get_inputs()}
