"""What whoever runs the shop does with releases: list, create, delete, flip and roll back."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.releases.current import FIRST
from gateway.releases.follower import Follower, Known
from gateway.releases.gates import Gates, JudgedQuery, check_queries
from gateway.releases.re_embedding import ReEmbedding
from gateway.releases.served_parts import ServedParts
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, NotFound, Unimplemented
from vitrine.ports import Embedder
from vitrine.ports.release import Release, ReleaseStore

# The release that keeps what served before, where it had no name: this and the name of the one that was adopted.
_BEFORE = "before-"
_NAME_LENGTH = 40


class ReleaseAdmin:
    """Changes releases in the store; this gateway follows at once, the others within `follow_s`."""

    def __init__(self, follower: Follower, parts: ServedParts, embedder: Embedder, gates: Gates) -> None:
        self._follower = follower
        self._parts = parts
        self._embedder = embedder
        self._gates = gates

    async def list(self, *, deadline: Deadline) -> Known:
        """The releases as they stand now. Raises Unimplemented where there is no store."""
        _ = self._store
        return await self._follower.refresh(deadline=deadline)

    async def create(self, release: Release, *, deadline: Deadline) -> Known:
        """Writes a release; a part it does not name is that of the release that serves.

        Raises FailedPrecondition when one of this name serves or is kept for rollback.
        """
        known = await self.list(deadline=deadline)
        whole = await self._parts.completed(release, known.serving, deadline=deadline)
        await self._store.write_release(whole, deadline=deadline)
        return await self.list(deadline=deadline)

    async def build(self, name: str, queries: Sequence[JudgedQuery], *, deadline: Deadline) -> tuple[int | None, Known]:
        """Embeds what a release's embedder has not seen and measures it; how many products are left, None when done.

        Raises NotFound, InvalidArgument for a wrong query, and FailedPrecondition when its models are not served.
        """
        check_queries(queries)
        known = await self.list(deadline=deadline)
        release = _named(known, name)
        own = known.record.generations[0].model_digest if known.record.generations else ""
        recall: float | None = None
        if own and release.embedder_digest != own:
            step = ReEmbedding(self._embedder, self._store).step(release.embedder_digest, deadline=deadline)
            generation, recall = await step
            if recall is None:
                return generation.missing, await self.list(deadline=deadline)
        _require_able(name, (await self.list(deadline=deadline)).faults[name])
        gates = await self._gates.measured(release, known.serving, recall, queries, deadline=deadline)
        await self._store.write_release(replace(release, gates=gates), deadline=deadline)
        return None, await self.list(deadline=deadline)

    async def delete(self, name: str, *, force: bool, deadline: Deadline) -> None:
        """Deletes a release that neither serves nor, unless forced, is kept for rollback."""
        await self._store.remove_release(name, force=force, deadline=deadline)
        await self.list(deadline=deadline)

    async def flip(self, name: str, *, force: bool, deadline: Deadline) -> Known:
        """Makes a release the one that serves. Raises NotFound, and FailedPrecondition with the reason it cannot."""
        known = await self.list(deadline=deadline)
        release = _named(known, name)
        _require_able(name, known.faults[name])
        if not force:
            _require_gates(release, await self._parts.completed(known.serving, FIRST, deadline=deadline))
        return await self._serve(name, known, deadline)

    async def rollback(self, *, deadline: Deadline) -> Known:
        """Makes the release that served before serve again; its gates are not asked."""
        known = await self.list(deadline=deadline)
        name = known.record.previous
        if name is None:
            raise FailedPrecondition("no release served before this one: there is nothing to go back to")
        if name:
            _require_able(name, known.faults[name])
        return await self._serve(name, known, deadline)

    async def adopt(self, name: str, *, deadline: Deadline) -> Known:
        """Makes the embedder of the release that serves the catalogue's own; the one before is kept for rollback.

        Raises NotFound, and FailedPrecondition where another release serves.
        """
        known = await self.list(deadline=deadline)
        release = _named(known, name)
        if known.record.serving != name:
            raise FailedPrecondition(f"release {name} does not serve: vitrine release flip {name} comes first")
        if not known.record.generations:
            raise FailedPrecondition("the catalogue is empty")
        own = Release(f"{_BEFORE}{name}"[:_NAME_LENGTH], embedder_digest=known.record.generations[0].model_digest)
        before = await self._parts.completed(own, FIRST, deadline=deadline)
        await self._store.adopt_generation(release.embedder_digest, before=before, deadline=deadline)
        return await self.list(deadline=deadline)

    async def _serve(self, name: str, known: Known, deadline: Deadline) -> Known:
        await self._store.serve_release(name, expected_serving=known.record.serving, deadline=deadline)
        return await self.list(deadline=deadline)

    @property
    def _store(self) -> ReleaseStore:
        if self._follower.store is None:
            raise Unimplemented("this gateway has no store of releases; the retriever that it asks keeps none")
        return self._follower.store


def _named(known: Known, name: str) -> Release:
    release = known.record.named(name)
    if release is None or not name:
        names = ", ".join(one.name for one in known.record.releases) or "none"
        raise NotFound(f"there is no release {name!r}; there are: {names}")
    return release


def _require_able(name: str, faults: tuple[str, ...]) -> None:
    if faults:
        raise FailedPrecondition(f"release {name} cannot serve: {'; '.join(faults)}")


def _require_gates(release: Release, serving: Release) -> None:
    """What was measured must have passed; other vectors must be measured, and what they are ranked by may be."""
    if release.gates is None and release.embedder_digest in ("", serving.embedder_digest):
        return
    if release.gates is None:
        raise FailedPrecondition(
            f"release {release.name} was not measured: vitrine release build {release.name} does that, and --force"
            " flips all the same"
        )
    if release.gates.faults:
        raise FailedPrecondition(
            f"release {release.name} did not pass its gates: {'; '.join(release.gates.faults)};"
            " --force flips all the same"
        )
