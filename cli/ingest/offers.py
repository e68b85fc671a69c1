"""Prices and availability of a file into the catalogue, whose vectors and words stay as they are."""

import time
from dataclasses import dataclass
from pathlib import Path

from cli.ingest.checkpoint import Checkpoint, Progress
from cli.ingest.patience import patient_call
from cli.ingest.report import Refusal, Report
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import Moved, Waits
from vitrine.errors import InvalidArgument, VitrineError, invalid
from vitrine.feeds.opening import open_feed
from vitrine.gateway_client import open_gateway
from vitrine.messages.common import error_from_message
from vitrine.messages.product import offer_to_message
from vitrine.offer import Offer
from vitrine.rows import Row
from vitrine.v1 import catalog_service_pb2, catalog_service_pb2_grpc

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
        async with open_gateway(self._settings.target) as channel:
            stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)

            async def send(row: Row) -> None:
                refused = [*refusals, *await self._sent(stub, waiting, waits)]
                self._report.add(sorted(refused, key=lambda refusal: refusal.row))
                self._progress = self._progress.model_copy(
                    update={
                        "rows": row.number,
                        "accepted": self._progress.accepted + len(waiting) + len(refusals) - len(refused),
                        "refused": self._progress.refused + len(refused),
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

    async def _sent(
        self, stub: catalog_service_pb2_grpc.CatalogServiceStub, offers: list[tuple[Row, Offer]], waits: Waits
    ) -> list[Refusal]:
        """What of the offers was refused."""
        if not offers:
            return []
        request = catalog_service_pb2.UpdateOffersRequest(offers=[offer_to_message(offer) for _, offer in offers])
        answer = await patient_call(stub.UpdateOffers, request, self._settings, waits)
        outcomes: list[VitrineError | None] = [error_from_message(outcome.status) for outcome in answer.outcomes]
        return [
            Refusal.of(row.number, row.line, offer.id, error)
            for (row, offer), error in zip(offers, outcomes, strict=True)
            if error is not None
        ]
