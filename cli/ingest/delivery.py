"""Batches over the gateway, whose embedder embeds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing

from cli.ingest.batches import Batch
from cli.ingest.patience import patience_of
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import Waits
from vitrine.client import Client
from vitrine.errors import VitrineError

Outcomes = list[VitrineError | None]


class Delivery:
    """Sends batches in order and calls `settle` once for each, in order, when it is acknowledged.

    `waits` hears of each wait, in seconds, and why.
    """

    def __init__(
        self, client: Client, settings: IngestSettings, settle: Callable[[Batch, Outcomes], None], waits: Waits
    ) -> None:
        self._client = client
        self._settings = settings
        self._settle = settle
        self._waits = waits

    async def run(self, batches: Iterator[Batch]) -> None:
        """Delivers all batches.

        Raises the error that no attempt mends, the last one when `give_up_s` is over, or what stopped `batches`,
        after all before it is acknowledged.
        """
        patience = patience_of(self._settings, self._waits)
        read = _read(batches)
        async with aclosing(
            self._client.catalog.deliver(read, window=self._settings.window, patience=patience)
        ) as delivered:
            async for settled in delivered:
                self._settle(settled.batch, settled.errors)


async def _read(batches: Iterator[Batch]) -> AsyncIterator[Batch]:
    # Reading and converting are file and CPU work.
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        yield batch
