"""The port of the store of releases: which models answer together, and which release serves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vitrine.deadline import Deadline


@dataclass(frozen=True, slots=True)
class ReleaseGates:
    """What a release was measured by; fields are those of release.proto."""

    time: datetime
    recall: float
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
    """All releases by name; which one serves, "" for none; the one before, None where there was no flip."""

    releases: tuple[Release, ...] = ()
    serving: str = ""
    previous: str | None = None
    generations: tuple[Generation, ...] = ()

    def named(self, name: str) -> Release | None:
        """The release of that name; for "" each service's first models."""
        if not name:
            return Release()
        return next((one for one in self.releases if one.name == name), None)


class ReleaseStore(Protocol):
    """Keeps releases durably, and which one serves."""

    async def get_releases(self, *, deadline: Deadline) -> ReleaseRecord:
        """What there is now."""
        ...

    async def write_release(self, release: Release, *, deadline: Deadline) -> None:
        """Writes a release; of one that serves, or is kept for rollback, the gates alone may change."""
        ...

    async def remove_release(self, name: str, *, deadline: Deadline) -> None:
        """Deletes a release that neither serves nor is kept for rollback. Raises NotFound and FailedPrecondition."""
        ...

    async def serve_release(self, name: str, *, expected_serving: str, deadline: Deadline) -> None:
        """Makes a release the one that serves, "" being none, in one durable step.

        Raises NotFound, and FailedPrecondition when it cannot serve, or another one serves than was expected.
        """
        ...
