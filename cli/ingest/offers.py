"""Prices and availability of a file into the catalogue, whose vectors and words stay as they are."""

import time
from dataclasses import dataclass
from pathlib import Path

from cli.ingest.checkpoint import Checkpoint, Progress
from cli.ingest.patience import client_of
from cli.ingest.report import Refusal, Report
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import Moved, Waits
from vitrine.client import Client, refused
from vitrine.errors import InvalidArgument, invalid
from vitrine.feeds.opening import open_feed
from vitrine.messages.product import offer_to_message
from vitrine.offer import Offer
from vitrine.rows import Row

_OFFERS = 500


@dataclass(frozen=True, slots=True)
class OfferSummary:
    """How an ingest of offers ended."""

    accepted: int
    refused: int
    rows: int
    took_s: float
    report_path: Path | None


class OfferIngest:
    """A file of offers on its way; stopped, it begins anew, as offers go by id and cost little."""

    def __init__(self, path: Path, mapping: Path | None, settings: IngestSettings) -> None:
        """Raises InvalidArgument when file or mapping cannot be read."""
        self.feed = open_feed(
            path, mapping, currency_code=settings.currency_code, encoding=settings.encoding, is_offers=True
        )
        self._settings = settings
        checkpoint = Checkpoint(settings.state_dir, path, f"offers of {settings.target}")
        self._report = Report(checkpoint.report_path)
        self._progress = Progress(fingerprint="")

    async def run(self, moved: Moved, waits: Waits) -> OfferSummary:
        """Sends all offers. `moved` and `waits` as in `Ingest.run`."""
        began_at_s = time.monotonic()
        waiting: list[tuple[Row, Offer]] = []
        refusals: list[Refusal] = []
        async with client_of(self._settings, waits) as client:

            async def send(row: Row) -> None:
                failed = [*refusals, *await _sent(client, waiting)]
                self._report.add(sorted(failed, key=lambda refusal: refusal.row))
                self._progress = self._progress.model_copy(
                    update={
                        "rows": row.number,
                        "accepted": self._progress.accepted + len(waiting) + len(refusals) - len(failed),
                        "refused": self._progress.refused + len(failed),
                    }
                )
                waiting.clear()
                refusals.clear()
                moved(row.position, self._progress)

            row: Row | None = None
            for row in self.feed.source.rows():
                try:
                    if (offer := self._offer(row)) is not None:
                        waiting.append((row, offer))
                except InvalidArgument as error:
                    refusals.append(Refusal.of(row.number, row.line, self.feed.id_of(row.values), error))
                if len(waiting) + len(refusals) >= _OFFERS:
                    await send(row)
            if row is not None:
                await send(row)
        progress = self._progress
        return OfferSummary(
            accepted=progress.accepted,
            refused=progress.refused,
            rows=progress.rows,
            took_s=time.monotonic() - began_at_s,
            report_path=self._report.path if progress.refused else None,
        )

    def _offer(self, row: Row) -> Offer | None:
        if row.fault:
            raise invalid("row", row.fault)
        return self.feed.offer(row.values)


async def _sent(client: Client, offers: list[tuple[Row, Offer]]) -> list[Refusal]:
    """What of the offers was refused."""
    if not offers:
        return []
    answer = await client.catalog.update_offers([offer_to_message(offer) for _, offer in offers])
    return [
        Refusal.of(row.number, row.line, offer.id, one.error)
        for one in refused(answer.outcomes)
        for row, offer in [offers[one.index]]
    ]
