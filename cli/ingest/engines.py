"""The way that batches take into the catalogue, as the settings choose it."""

from collections.abc import Callable, Iterator
from typing import Protocol

from cli.ingest.batches import Batch
from cli.ingest.delivery import Delivery, Outcomes
from cli.ingest.settings import IngestSettings
from vitrine.client import Client
from vitrine.errors import VitrineError


class Way(Protocol):
    """Takes batches, in order."""

    async def run(self, batches: Iterator[Batch]) -> None:
        """Delivers all of them. Raises what no attempt mends, or what stopped `batches`, after all before it."""
        ...


def way_of(
    client: Client,
    settings: IngestSettings,
    settle: Callable[[Batch, Outcomes], None],
    waits: Callable[[float, VitrineError], None],
) -> Way:
    """Over the gateway, whose embedder embeds, or by a Ray job; `settle` and `waits` as for `Delivery`."""
    if settings.engine == "stream":
        return Delivery(client, settings, settle, waits)
    # Only who wants Ray has it, and waits for it.
    from cli.ingest.ray.delivery import RayDelivery

    return RayDelivery(settings, settle, waits)
