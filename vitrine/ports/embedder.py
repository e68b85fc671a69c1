"""The port of the embedder: texts, and histories of visitors, to vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.ports.service import Lane, ModelInfo, ServedModels
from vitrine.user_event import EventType
from vitrine.vectors import FloatArray

MAX_HISTORIES = 64
MAX_HISTORY_ITEMS = 200


class InputType(Enum):
    """What a text is: the model has a prompt for each."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class EmbeddedItem:
    """How one text went: its tokens, those cut, and the fault when it failed (its vector is then zeros)."""

    tokens: int = 0
    tokens_dropped: int = 0
    error: VitrineError | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """`vectors` (n, dim) float32, L2-normalised, and an item for each text, in order."""

    vectors: FloatArray
    items: tuple[EmbeddedItem, ...]
    model_digest: str
    prompt: str


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A product acted upon: its row of the item vectors, what was done, and the seconds since, >= 0."""

    vector_index: int
    event_type: EventType
    age_s: float


@dataclass(frozen=True, slots=True)
class EncodedHistories:
    """`vectors` (n, d) float32, L2-normalised, one for each history, in order."""

    vectors: FloatArray
    recommender_digest: str


class Embedder(Protocol):
    """Text to vector, and a visitor's history to vector."""

    async def embed(
        self,
        texts: Sequence[str],
        *,
        input_type: InputType,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
        refuse_overflow: bool = False,
        model_digest: str = "",
    ) -> Embeddings:
        """Embeds 1 to 256 texts by a model that is served, "" being the first; a bad text fails its item only."""
        ...

    async def encode_history(
        self,
        histories: Sequence[Sequence[HistoryItem]],
        item_vectors: FloatArray,
        *,
        recommender_digest: str,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
    ) -> EncodedHistories:
        """Encodes 1 to 64 histories of 1 to 200 items, oldest first; the model reads the last ones that fit.

        `item_vectors` (m, d) are behaviour vectors of the retriever, made by the recommender `recommender_digest`.
        """
        ...

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the first of the models that are served."""
        ...

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """Names all of them, and the recommenders."""
        ...
