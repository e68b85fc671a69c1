"""What the writer drives: views that follow the catalogue by revision, whatever they are searched with."""

from collections.abc import Sequence
from typing import Any, Protocol, Self

from services.retriever.prepared import Prepared
from services.retriever.tables import State


class FollowedViews(Protocol):
    """Used by the writer's thread alone."""

    alerts: dict[str, str]

    @property
    def state(self) -> State:
        """Where the catalogue stood when the views last followed it."""
        ...

    @property
    def living(self) -> int:
        """Products that live."""
        ...

    def living_rows(self, ids: Sequence[str]) -> dict[str, int]:
        """Row keys of the living versions of those ids that have one."""
        ...

    def oldest_revision_read(self) -> int:
        """The oldest revision that a reader may still hold, or that the views would be brought up from."""
        ...

    def anew(self) -> Self:
        """The same made anew; readers may still hold snapshots of these."""
        ...

    def follow(self, state: State, dead: Sequence[tuple[int, str]], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what a write did; a version that was added and died within it is in both."""
        ...

    def publish(self) -> Any:
        """The snapshot that readers see from now on."""
        ...

    def close(self) -> None:
        """Ends what they hold."""
        ...
