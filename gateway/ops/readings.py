"""What the processes showed during the last minute, read when somebody looks."""

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from vitrine.client.settings import ClientSettings
from vitrine.metrics_window import Window
from vitrine.scrape import Scrape, Silent, own_scrape, read_processes

_WINDOW_S = 60.0
# Nobody looked for so long: what was read then says nothing of now.
_STALE_S = 180.0
# Readings are kept so far apart, seven of them: one takes 1 MB for each process.
_APART_S = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What changed since about a minute before, and who did not answer."""

    window: Window
    silent: tuple[Silent, ...]


class Readings:
    """Reads the processes at `addresses`, or this one alone where there are none.

    A name stands for all addresses that it resolves to: those of a headless service are its replicas.
    """

    def __init__(self, addresses: Sequence[str], own_address: str) -> None:
        self._addresses = addresses
        self._own_address = own_address
        self._settings = ClientSettings()
        self._kept: deque[list[Scrape]] = deque()
        self._one_at_a_time = asyncio.Lock()

    async def read(self) -> Reading:
        """Reads all of them now; what it is compared with is as old as what was kept says.

        Raises FailedPrecondition when a file that the client's settings name cannot be read.
        """
        async with self._one_at_a_time:
            found = await self._scrapes()
            scrapes = [one for one in found if isinstance(one, Scrape)]
            now_s = max((scrape.time_s for scrape in scrapes), default=0.0)
            while self._kept and _time_s(self._kept[0]) < now_s - _STALE_S:
                self._kept.popleft()
            # The youngest that is a minute old, else the oldest.
            while len(self._kept) > 1 and _time_s(self._kept[1]) <= now_s - _WINDOW_S:
                self._kept.popleft()
            before = self._kept[0] if self._kept else []
            if scrapes and (not self._kept or now_s - _time_s(self._kept[-1]) >= _APART_S):
                self._kept.append(scrapes)
            window = await asyncio.to_thread(Window, before, scrapes)
            return Reading(window, tuple(one for one in found if isinstance(one, Silent)))

    async def _scrapes(self) -> list[Scrape | Silent]:
        if not self._addresses:
            return [await asyncio.to_thread(own_scrape, self._own_address)]
        resolved = await asyncio.gather(*map(_resolved, self._addresses))
        lost = [one for each in resolved for one in each if isinstance(one, Silent)]
        # Each once: two names may lead to one process.
        reached = dict.fromkeys(one for each in resolved for one in each if isinstance(one, str))
        return [*await read_processes(list(reached), self._settings), *lost]


def _time_s(scrapes: Sequence[Scrape]) -> float:
    return max(scrape.time_s for scrape in scrapes)


async def _resolved(address: str) -> list[str | Silent]:
    if "://" in address:
        # A certificate is of the name.
        return [address]
    host, _, port = address.rpartition(":")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return [Silent(address, f"has no address: {error}")]
    # A process that listens on both kinds is one process.
    kept = [one for one in found if one[0] == socket.AF_INET] or found
    hosts = sorted({str(place[0]) for *_, place in kept})
    return [f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in hosts]
