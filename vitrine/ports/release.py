"""The port of the store of releases: which models answer together, and which release serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vitrine.deadline import Deadline
from vitrine.product import Product
from vitrine.vectors import FloatArray


@dataclass(frozen=True, slots=True)
class ReleaseGates:
    """What a release was measured by; fields are those of release.proto."""

    time: datetime
    recall: float | None = None
    queries: int = 0
    ndcg: float = 0.0
    ndcg_serving: float = 0.0
    difference_low: float = 0.0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """Models that answer together, by digest; "" is the first one that the service serves."""

    name: str = ""
    embedder_digest: str = ""
    ranker_digest: str = ""
    recommender_digest: str = ""
    create_time: datetime | None = None
    gates: ReleaseGates | None = None

    @property
    def models(self) -> tuple[str, str, str]:
        """The digests of embedder, ranker and recommender."""
        return self.embedder_digest, self.ranker_digest, self.recommender_digest


@dataclass(frozen=True, slots=True)
class Generation:
    """The vectors that one embedder made of the catalogue; fields are those of release.proto."""

    model_digest: str
    dim: int
    vectors: int
    missing: int
    searchable: bool


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """All releases by name; which one serves, "" for none; the one before, None where there was no flip.

    Of the generations the first is the catalogue's own: every product is written with its vector.
    """

    releases: tuple[Release, ...] = ()
    serving: str = ""
    previous: str | None = None
    generations: tuple[Generation, ...] = ()

    def named(self, name: str) -> Release | None:
        """The release of that name; for "" each service's first models."""
        if not name:
            return Release()
        return next((one for one in self.releases if one.name == name), None)


def generation_fault(embedder_digest: str, generations: Sequence[Generation]) -> str:
    """Why an embedder's vectors cannot be searched now, "" where they can; without generations there is one index."""
    if not embedder_digest or not generations:
        return ""
    kept = next((one for one in generations if one.model_digest == embedder_digest), None)
    if kept is None:
        return f"no vectors of {embedder_digest} are kept; write the release again"
    if kept.missing:
        return f"{kept.missing:,} products have no vector of {embedder_digest} yet; build the release"
    return "" if kept.searchable else f"the vectors of {embedder_digest} are not searchable yet; build the release"


class ReleaseStore(Protocol):
    """Keeps releases durably, and which one serves."""

    async def get_releases(self, *, deadline: Deadline) -> ReleaseRecord:
        """What there is now."""
        ...

    async def write_release(self, release: Release, *, deadline: Deadline) -> None:
        """Writes a release; of one that serves, or is kept for rollback, the gates alone may change."""
        ...

    async def remove_release(self, name: str, *, force: bool = False, deadline: Deadline) -> None:
        """Deletes a release that neither serves nor, unless forced, is kept for rollback.

        Vectors that no other release needs go with it. Raises NotFound and FailedPrecondition.
        """
        ...

    async def adopt_generation(self, model_digest: str, *, before: Release, deadline: Deadline) -> None:
        """Makes the model whose release serves the catalogue's own, durably, in one step.

        The one before becomes a further one, which the release `before` keeps where none names it, or where what served
        before has no name. Raises NotFound, and FailedPrecondition where no release of the model serves.
        """
        ...

    async def list_unembedded(
        self, model_digest: str, limit: int, *, deadline: Deadline
    ) -> tuple[tuple[int, Product], ...]:
        """Up to `limit` products, 1 to 500, that lack a vector of a model, with row keys. Raises NotFound."""
        ...

    async def write_vectors(
        self, model_digest: str, rows: Sequence[int], vectors: FloatArray, *, deadline: Deadline
    ) -> None:
        """Writes (n, dim) vectors of those row keys; versions that are gone by now are left out. Raises NotFound."""
        ...

    async def build_generation(self, model_digest: str, *, deadline: Deadline) -> tuple[Generation, float | None]:
        """Makes a generation searchable in the background; of one that is, also its recall@10. Raises NotFound."""
        ...

    async def serve_release(self, name: str, *, expected_serving: str, deadline: Deadline) -> None:
        """Makes a release the one that serves, "" being none, in one durable step.

        Raises NotFound, and FailedPrecondition when it cannot serve, or another one serves than was expected.
        """
        ...
