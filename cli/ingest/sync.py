"""A feed as the whole truth of its products: what did not change is not sent, what is gone is deleted."""

from dataclasses import dataclass

from cli.ingest.ledger import Ledger, chunks
from cli.ingest.settings import IngestSettings
from vitrine.client import Client

_DELETE_IDS = 1_000
_DIGESTS = 10_000


@dataclass(frozen=True, slots=True)
class Gone:
    """How many products were deleted, or how many were kept though they are gone, as they are too many."""

    deleted: int = 0
    kept: int = 0


NONE_GONE = Gone()


async def keep_digests(client: Client, ledger: Ledger) -> None:
    """Lists what the catalogue holds into the ledger."""
    ledger.begin_digests()
    held: list[tuple[str, bytes]] = []
    async for entry in client.catalog.digests():
        held.append((entry.id, entry.digest))
        if len(held) == _DIGESTS:
            ledger.add_digests(held)
            held.clear()
    ledger.add_digests(held)


async def delete_gone(client: Client, ledger: Ledger, settings: IngestSettings, *, force: bool) -> Gone:
    """Deletes what the feed had before and has no more; with `force` even where that is most of it."""
    gone = ledger.gone()
    if not force and len(gone) > settings.max_gone_share * ledger.known_before():
        return Gone(kept=len(gone))
    for ids in chunks(gone, _DELETE_IDS):
        # An id that the catalogue does not know was deleted by another hand.
        await client.catalog.delete(ids)
    ledger.forget_gone()
    return Gone(deleted=len(gone))
