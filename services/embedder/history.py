"""A visitor's history to vector: the recommender's sequence model, batched over all callers as texts are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from vitrine.batching import Batcher, BatchSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, Internal, invalid
from vitrine.inference import finite_rows, memory_need_bytes, open_onnx
from vitrine.ports import EncodedHistories, HistoryItem, Lane
from vitrine.ports.embedder import MAX_HISTORIES, MAX_HISTORY_ITEMS
from vitrine.recommender_bundle import HISTORY_FILE, RecommenderBundle
from vitrine.vectors import FloatArray, l2_normalized

# One visitor's history is encoded in half a millisecond.
_FEW_ITEMS = 64
_INPUTS = {"items", "event_types", "ages"}
_OUTPUT = "vectors"


@dataclass(frozen=True, slots=True, eq=False)
class _Actions:
    """One history as the model reads it: `items` (length, d), `event_types` (length,) and `ages` (length,)."""

    items: FloatArray
    event_types: NDArray[np.int64]
    ages: FloatArray  # log1p of seconds


class _KnownAnswer(BaseModel):
    """The history in a bundle's manifest whose vector is known."""

    items: list[list[float]] = Field(min_length=1)
    event_types: list[int]
    ages_s: list[float]
    vector: list[float]


class HistoryEncoder:
    """A recommender bundle's history.onnx."""

    def __init__(
        self, bundle: RecommenderBundle, budget: ComputeBudget, batch: BatchSettings, least_cosine: float
    ) -> None:
        """Loads the model. Raises FailedPrecondition when it is not as it should be or does not fit into memory."""
        manifest = bundle.manifest
        self.digest = manifest.digest
        self._name = manifest.name
        self._dim = manifest.dim
        self._max_history = manifest.max_history
        self._known = _known_answer(bundle)
        self._least_cosine = least_cosine
        weights = bundle.path(HISTORY_FILE)
        budget.reserve(f"model {manifest.name} ({weights})", memory_need_bytes(weights, budget.threads))
        self._session = open_onnx(weights)
        inputs = {tensor.name for tensor in self._session.get_inputs()}
        outputs = {tensor.name for tensor in self._session.get_outputs()}
        if inputs != _INPUTS or _OUTPUT not in outputs:
            raise FailedPrecondition(
                f"{weights} has the inputs {sorted(inputs)} and outputs {sorted(outputs)}; {sorted(_INPUTS)} and"
                f" {_OUTPUT!r} are needed"
            )
        self._budget = budget
        self._batcher: Batcher[_Actions, FloatArray | Internal] = Batcher(
            "history", self._vectors, budget, batch, few_tokens=_FEW_ITEMS
        )

    async def encode(
        self,
        histories: Sequence[Sequence[HistoryItem]],
        item_vectors: FloatArray,
        *,
        recommender_digest: str,
        deadline: Deadline,
        lane: Lane,
    ) -> EncodedHistories:
        """See `vitrine.ports.Embedder.encode_history`."""
        if not recommender_digest:
            raise invalid("recommender_digest", "is empty; name the recommender that made item_vectors")
        if recommender_digest != self.digest:
            raise FailedPrecondition(
                f"the item vectors are of recommender {recommender_digest} and {self.digest} is served; let embedder"
                " and retriever serve the same one",
                reason="RECOMMENDER_MISMATCH",
            )
        if not 1 <= len(histories) <= MAX_HISTORIES:
            raise invalid("histories", f"has {len(histories)} entries; give 1 to {MAX_HISTORIES}")
        deadline.check("encoding histories")
        if sum(map(len, histories)) <= MAX_HISTORY_ITEMS:
            # One visitor's history, which a thread would take longer to hand over than to read.
            read = self._read(histories, item_vectors)
        else:
            read = await self._budget.run(self._read, histories, item_vectors)
        lengths = [len(actions.ages) for actions in read]
        outputs = await self._batcher.submit(read, lengths, deadline=deadline, lane=lane)
        for output in outputs:
            if isinstance(output, Internal):
                raise output
        return EncodedHistories(
            np.stack([output for output in outputs if not isinstance(output, Internal)]), self.digest
        )

    async def self_test(self) -> None:
        """Encodes the bundle's known history, past the queue; raises Internal when its vector is not the known one."""
        (vector,) = await self._budget.run_model(self._vectors, [self._known[0]])
        if isinstance(vector, Internal):
            raise vector
        cosine = float(l2_normalized(vector[None])[0] @ l2_normalized(self._known[1][None])[0])
        norm = float(np.linalg.norm(vector))
        if cosine < self._least_cosine or abs(norm - 1) > 0.01:
            raise Internal(
                f"the recommender's vector of its bundle's known history has length {norm:.3f} and cosine {cosine:.3f}"
                f" to the known one, not 1 and >= {self._least_cosine}: weights and runtime do not fit together",
                reason="SELF_TEST_FAILED",
            )

    async def close(self) -> None:
        """Lets the batch that runs end; who waits gets Unavailable."""
        await self._batcher.close()

    def _read(self, histories: Sequence[Sequence[HistoryItem]], item_vectors: FloatArray) -> list[_Actions]:
        """What the model reads of each history. Raises InvalidArgument naming the field."""
        if item_vectors.ndim != 2 or item_vectors.shape[1] != self._dim:
            raise invalid("item_vectors.dim", f"is {item_vectors.shape[-1]}; the recommender's is {self._dim}")
        if not np.isfinite(item_vectors).all():
            raise invalid("item_vectors.data", "holds NaN or infinity; send finite numbers")
        return [
            self._actions(history, item_vectors, f"histories[{place}].items") for place, history in enumerate(histories)
        ]

    def _actions(self, history: Sequence[HistoryItem], item_vectors: FloatArray, field: str) -> _Actions:
        if not 1 <= len(history) <= MAX_HISTORY_ITEMS:
            raise invalid(field, f"has {len(history)} entries; give 1 to {MAX_HISTORY_ITEMS}")
        for index, item in enumerate(history):
            if not 0 <= item.vector_index < len(item_vectors):
                fault = f"is {item.vector_index} and item_vectors has {len(item_vectors)} rows"
                raise invalid(f"{field}[{index}].vector_index", fault)
            if not (math.isfinite(item.age_s) and item.age_s >= 0):
                raise invalid(f"{field}[{index}].age_s", f"is {item.age_s}; give the seconds since, 0 or more")
        last = history[-self._max_history :]
        return _Actions(
            items=item_vectors[[item.vector_index for item in last]],
            event_types=np.array([item.event_type.number for item in last], np.int64),
            ages=np.log1p(np.array([item.age_s for item in last])).astype(np.float32),
        )

    def _vectors(self, batch: Sequence[_Actions]) -> Sequence[FloatArray | Internal]:
        shape = (len(batch), max(len(actions.ages) for actions in batch))
        items = np.zeros((*shape, self._dim), np.float32)
        event_types, ages = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        for row, actions in enumerate(batch):
            length = len(actions.ages)
            items[row, :length] = actions.items
            event_types[row, :length] = actions.event_types
            ages[row, :length] = actions.ages
        feed = {"items": items, "event_types": event_types, "ages": ages}
        (outputs,) = self._session.run([_OUTPUT], feed)
        if outputs.shape != (len(batch), self._dim):
            raise Internal(f"model {self._name} gave vectors of shape {outputs.shape}, not {(len(batch), self._dim)}")
        return finite_rows(self._name, outputs.astype(np.float32, copy=False))


def _known_answer(bundle: RecommenderBundle) -> tuple[_Actions, FloatArray]:
    try:
        known = _KnownAnswer.model_validate(bundle.manifest.self_test)
        items = np.array(known.items, np.float32)
        lengths = {len(known.items), len(known.event_types), len(known.ages_s)}
        if items.shape[1:] != (bundle.manifest.dim,) or len(lengths) > 1 or len(known.vector) != bundle.manifest.dim:
            raise ValueError
    except (ValidationError, ValueError):
        raise FailedPrecondition(
            f"bundle {bundle.folder} has no self_test with items, event_types, ages_s and vector of"
            f" {bundle.manifest.dim} numbers; write it again"
        ) from None
    ages = np.log1p(np.array(known.ages_s)).astype(np.float32)
    return _Actions(items, np.array(known.event_types, np.int64), ages), np.array(known.vector, np.float32)
