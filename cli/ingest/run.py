"""One ingest from its file to its report."""

import time
from dataclasses import dataclass
from pathlib import Path

from cli.ingest.batches import Batch, batched
from cli.ingest.checkpoint import Checkpoint, Progress, fingerprint_of
from cli.ingest.delivery import Outcomes
from cli.ingest.engines import way_of
from cli.ingest.ledger import Ledger
from cli.ingest.patience import client_of
from cli.ingest.report import Refusal, Report
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import Moved, Waits
from cli.ingest.sync import NONE_GONE, Gone, delete_gone, keep_digests
from vitrine.client import Client
from vitrine.errors import NotFound
from vitrine.feeds.opening import open_feed
from vitrine.product import Product
from vitrine.product_digest import content_digest

_SHOWN_REPEATED = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """How an ingest ended. `resumed_rows` were settled by a run before; times are this run's.

    `repeated` rows had the id of an earlier one, whose place they took; `repeated_ids` are some of them. `mended`
    counts what was changed so that rows could be taken.
    """

    kind: str
    accepted: int
    refused: int
    resumed_rows: int
    rows: int
    took_s: float
    report_path: Path | None
    unused_columns: tuple[str, ...]
    dropped_attributes: int
    mended: dict[str, int]
    unchanged: int = 0
    left_out: int = 0
    repeated: int = 0
    repeated_ids: tuple[str, ...] = ()
    gone: Gone = NONE_GONE


class Ingest:
    """A product file on its way into the catalogue.

    With `sync` only what changed is sent, and what the feed has no more is deleted; `force` deletes even most of it.
    `feed_name` tells the feed from others where its file has another name each day.
    """

    def __init__(
        self,
        path: Path,
        mapping: Path | None,
        settings: IngestSettings,
        *,
        sync: bool = False,
        force: bool = False,
        feed_name: str = "",
    ) -> None:
        """Raises InvalidArgument when file or mapping cannot be read."""
        self.feed = open_feed(path, mapping, currency_code=settings.currency_code, encoding=settings.encoding)
        self._settings = settings
        self._sync = sync
        self._force = force
        self._feed_name = feed_name or str(path.resolve())
        self._checkpoint = Checkpoint(settings.state_dir, path, settings.target)
        layout = f"{self.feed.layout}\n{self._feed_name}\n{sync}"
        self._progress = self._checkpoint.load(fingerprint_of(path, layout))
        self._repeated_ids: dict[str, None] = {}

    async def run(self, moved: Moved, waits: Waits) -> Summary:
        """Goes on where the checkpoint says, to the end. Raises what `Delivery.run` raises; the checkpoint stays.

        `moved` hears of the file's position after each batch, `waits` of each wait for the gateway, and why.
        """
        self._ledger = Ledger(self._settings.state_dir, self._settings.target, self._feed_name)
        try:
            async with client_of(self._settings, waits) as client:
                return await self._run(client, moved, waits)
        finally:
            self._ledger.close()

    async def _run(self, client: Client, moved: Moved, waits: Waits) -> Summary:
        repeated = self._ledger.repeated() if self._sync else frozenset[str]()
        # What waited for a later row of its id when the run was cut off is lost: all is compared again.
        if repeated or (self._progress.last_id and not await self._is_kept(client, self._progress.last_id)):
            self._progress = Progress(fingerprint=self._progress.fingerprint)
        if not self._progress.run:
            self._progress = self._progress.model_copy(update={"run": self._ledger.runs + 1})
        self._ledger.begin(self._progress.run)
        if self._sync:
            await keep_digests(client, self._ledger)
        began_at_s, resumed_rows = time.monotonic(), self._progress.rows
        self._report = Report(self._checkpoint.report_path, self._progress.report_bytes)
        rows = self.feed.source.rows(skip=resumed_rows)

        def settle(batch: Batch, outcomes: Outcomes) -> None:
            self._settle(batch, outcomes)
            moved(batch.position, self._progress)

        is_unchanged = self._is_unchanged if self._sync else _never
        batches = batched(rows, self.feed, self._settings, is_unchanged, repeated)
        await way_of(client, self._settings, settle, waits).run(batches)
        gone = NONE_GONE
        self._ledger.forget_repeated()
        if self._sync:
            gone = await delete_gone(client, self._ledger, self._settings, force=self._force)
        self._checkpoint.clear()
        progress, products = self._progress, self.feed.products
        return Summary(
            kind=self.feed.kind,
            accepted=progress.accepted,
            refused=progress.refused,
            resumed_rows=resumed_rows,
            rows=progress.rows,
            took_s=time.monotonic() - began_at_s,
            report_path=self._report.path if progress.refused else None,
            unused_columns=tuple(products.unused_columns),
            dropped_attributes=products.dropped_attributes,
            mended={what: count for what, count in products.mended.items() if count},
            unchanged=progress.unchanged,
            left_out=progress.left_out,
            repeated=progress.repeated,
            repeated_ids=tuple(self._repeated_ids)[:_SHOWN_REPEATED],
            gone=gone,
        )

    def _is_unchanged(self, product: Product) -> bool:
        return self._ledger.is_unchanged(product.id, content_digest(product))

    def _settle(self, batch: Batch, outcomes: Outcomes) -> None:
        refusals = list(batch.refusals)
        last_id = self._progress.last_id
        seen = [
            *batch.unchanged,
            *batch.replaced,
            *((refusal.id, refusal.row) for refusal in batch.refusals if refusal.id),
        ]
        for product, (row, line), error in zip(batch.request.products, batch.places, outcomes, strict=True):
            seen.append((product.id, row))
            if error is None:
                last_id = product.id
            else:
                refusals.append(Refusal.of(row, line, product.id, error))
        self._report.add(sorted(refusals, key=lambda refusal: refusal.row))
        refused = {refusal.row for refusal in refusals}
        # A row that is refused takes no place.
        again = [
            product_id
            for product_id, row in self._ledger.see(sorted(seen, key=lambda place: place[1]))
            if row not in refused
        ]
        self._repeated_ids |= dict.fromkeys(again)
        progress = self._progress
        self._progress = progress.model_copy(
            update={
                "rows": batch.last_row,
                "accepted": progress.accepted + sum(error is None for error in outcomes),
                "refused": progress.refused + len(refusals),
                "last_id": last_id,
                "report_bytes": self._report.size,
                "unchanged": progress.unchanged + len(batch.unchanged),
                "left_out": progress.left_out + batch.left_out,
                "repeated": progress.repeated + len(again),
            }
        )
        self._checkpoint.save(self._progress)

    async def _is_kept(self, client: Client, product_id: str) -> bool:
        """Whether the catalogue still has the last product acknowledged: it may be another one, or emptied since."""
        try:
            await client.catalog.get(product_id)
        except NotFound:
            return False
        return True


def _never(_product: Product) -> bool:
    return False
