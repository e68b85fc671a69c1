"""The follower: releases as the store has them, asked for again every moment, and whether each can answer."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from gateway.metrics import RELEASES_BEHIND
from gateway.releases.current import FIRST
from gateway.releases.served_parts import ServedParts
from vitrine.deadline import Deadline
from vitrine.errors import Unimplemented, VitrineError
from vitrine.ports.release import Release, ReleaseRecord, ReleaseStore

log = structlog.get_logger(__name__)

_ASK_S = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """What was read at one moment: the record, and by a release's name why it cannot answer."""

    record: ReleaseRecord = field(default_factory=ReleaseRecord)
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    serving: Release = FIRST


class Follower:
    """Knows the releases; without a store each service's first models serve, and there are no others."""

    def __init__(self, store: ReleaseStore | None, parts: ServedParts, *, follow_s: float) -> None:
        """Reads again `follow_s` after the last time, when asked; the one who asks does not wait for it."""
        self.store = store
        self._parts = parts
        self._follow_s = follow_s
        self._known = Known()
        self._read_at_s = -float("inf")
        self._was_read = False
        self._reading: asyncio.Task[None] | None = None

    @property
    def known(self) -> Known:
        """What is known now."""
        if self.store is not None and self._reading is None and time.monotonic() - self._read_at_s > self._follow_s:
            self._reading = asyncio.create_task(self._read_again())
        return self._known

    @property
    def serving(self) -> Release:
        """The release that serves."""
        return self.known.serving

    def named(self, name: str) -> Release | None:
        """The release of that name where it can answer, else None."""
        known = self.known
        return known.record.named(name) if known.faults.get(name) == () else None

    def answering(self, name: str | None) -> Release:
        """The release that an experiment's arm names, None being the one that serves.

        An experiment takes part in no answer while a release of its arms is missing: so there is one.
        """
        release = self.serving if name is None else self.named(name)
        assert release is not None, f"release {name} cannot answer"
        return release

    async def refresh(self, *, deadline: Deadline) -> Known:
        """Reads now; a retriever that keeps no releases has none. Raises what the store raises."""
        if self.store is not None:
            try:
                record = await self.store.get_releases(deadline=deadline)
            except Unimplemented:  # a retriever that keeps no releases
                record = ReleaseRecord()
            faults = await self._parts.faults(record, deadline=deadline)
            serving = record.named(record.serving)
            # A record names what serves: a release that serves cannot be deleted.
            assert serving is not None
            known = Known(record, faults, serving)
            if known != self._known:
                # Equal ones stay the same objects: one is kept beside each answer.
                self._known = known
            self._read_at_s, self._was_read = time.monotonic(), True
            RELEASES_BEHIND.set(0)
        return self._known

    async def latest(self, *, deadline: Deadline) -> Known:
        """Reads now; where that fails, what was read before. Raises what the store raises before anything was read."""
        try:
            return await self.refresh(deadline=deadline)
        except VitrineError as error:
            if not self._was_read:
                raise
            self._not_read(error)
            return self._known

    async def close(self) -> None:
        """Ends a reading that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _read_again(self) -> None:
        try:
            await self.refresh(deadline=Deadline.after(_ASK_S))
        except VitrineError as error:
            self._not_read(error)
        finally:
            self._reading = None

    def _not_read(self, error: VitrineError) -> None:
        RELEASES_BEHIND.set(1)
        log.warning("releases not read, those before hold", error=error.message)
        self._read_at_s = time.monotonic()
