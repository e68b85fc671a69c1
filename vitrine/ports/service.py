"""What several ports share: lanes, what a model is, and what became of an item."""

from dataclasses import dataclass
from enum import Enum

from vitrine.errors import VitrineError


class Lane(Enum):
    """Which work goes first when both wait."""

    LIVE = "live"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a service's model is; fields are those of common.proto.

    `recommender_digest` is of the embedder: the recommender that encodes histories, "" where there is none.
    """

    name: str
    version: str
    digest: str
    dim: int
    max_tokens: int
    languages: tuple[str, ...]
    runtime: str
    recommender_digest: str = ""


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The models that a service can answer by, the first being what it takes where a call names none.

    `recommender_digests` are of the embedder: the recommenders that encode histories.
    """

    models: tuple[ModelInfo, ...]
    recommender_digests: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        """The models' digests."""
        return tuple(model.digest for model in self.models)


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of one item of a batch; no error: durable and searchable."""

    id: str
    error: VitrineError | None = None
