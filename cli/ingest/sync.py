"""A feed as the whole truth of its products: what did not change is not sent, what is gone is deleted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.ingest.ledger import Ledger, chunks
from cli.ingest.patience import patient_call
from cli.ingest.settings import IngestSettings
from vitrine.errors import VitrineError
from vitrine.v1 import catalog_service_pb2 as pb

_DELETE_IDS = 1_000


@dataclass(frozen=True, slots=True)
class Gone:
    """How many products were deleted, or how many were kept though they are gone, as they are too many."""

    deleted: int = 0
    kept: int = 0


NONE_GONE = Gone()


async def keep_digests(
    stub: Any, ledger: Ledger, settings: IngestSettings, waits: Callable[[float, VitrineError], None]
) -> None:
    """Lists what the catalogue holds into the ledger."""
    ledger.begin_digests()
    token = ""
    while True:
        request = pb.ListProductDigestsRequest(page_token=token)
        page = await patient_call(stub.ListProductDigests, request, settings, waits)
        ledger.add_digests((entry.id, entry.digest) for entry in page.digests)
        if not (token := page.next_page_token):
            return


async def delete_gone(
    stub: Any,
    ledger: Ledger,
    settings: IngestSettings,
    waits: Callable[[float, VitrineError], None],
    *,
    force: bool,
) -> Gone:
    """Deletes what the feed had before and has no more; with `force` even where that is most of it."""
    gone = ledger.gone()
    if not force and len(gone) > settings.max_gone_share * ledger.known_before():
        return Gone(kept=len(gone))
    for ids in chunks(gone, _DELETE_IDS):
        # An id that the catalogue does not know was deleted by another hand.
        await patient_call(stub.DeleteProducts, pb.CatalogServiceDeleteProductsRequest(ids=ids), settings, waits)
    ledger.forget_gone()
    return Gone(deleted=len(gone))
