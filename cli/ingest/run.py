"""One ingest from its file to its report."""

import time
from dataclasses import dataclass
from pathlib import Path

from cli.ingest.batches import Batch, batched
from cli.ingest.checkpoint import Checkpoint, Progress, fingerprint_of
from cli.ingest.delivery import Delivery, Outcomes
from cli.ingest.report import Refusal, Report
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import Moved, Waits
from vitrine.channel import call, open_channel
from vitrine.deadline import Deadline
from vitrine.errors import NotFound
from vitrine.mapping import load_mapping
from vitrine.product_row import ProductRows
from vitrine.rows import RowFile
from vitrine.v1 import catalog_service_pb2, catalog_service_pb2_grpc

_LOOK_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Summary:
    """How an ingest ended. `resumed_rows` were settled by a run before; times are this run's."""

    accepted: int
    refused: int
    resumed_rows: int
    rows: int
    took_s: float
    report_path: Path | None
    unused_columns: tuple[str, ...]
    dropped_attributes: int


class Ingest:
    """A product file on its way into the catalogue."""

    def __init__(self, path: Path, mapping: Path | None, settings: IngestSettings) -> None:
        """Raises InvalidArgument when file or mapping cannot be read."""
        self.file = RowFile(path)
        loaded = load_mapping(mapping)
        self._settings = settings
        self._products = ProductRows(loaded)
        self._checkpoint = Checkpoint(settings.state_dir, path, settings.target)
        self._progress = self._checkpoint.load(fingerprint_of(path, loaded.model_dump_json()))

    async def run(self, moved: Moved, waits: Waits) -> Summary:
        """Goes on where the checkpoint says, to the end. Raises what `Delivery.run` raises; the checkpoint stays.

        `moved` hears of the file's position after each batch, `waits` of each wait for the gateway, and why.
        """
        if self._progress.last_id and not await self._is_kept(self._progress.last_id):
            self._progress = Progress(fingerprint=self._progress.fingerprint)
        began_at_s, resumed_rows = time.monotonic(), self._progress.rows
        self._report = Report(self._checkpoint.report_path, self._progress.report_bytes)
        rows = self.file.rows(skip=resumed_rows)

        def settle(batch: Batch, outcomes: Outcomes) -> None:
            self._settle(batch, outcomes)
            moved(batch.position, self._progress)

        await Delivery(self._settings, settle, waits).run(batched(rows, self._products, self._settings))
        self._checkpoint.clear()
        return Summary(
            accepted=self._progress.accepted,
            refused=self._progress.refused,
            resumed_rows=resumed_rows,
            rows=self._progress.rows,
            took_s=time.monotonic() - began_at_s,
            report_path=self._report.path if self._progress.refused else None,
            unused_columns=tuple(self._products.unused_columns),
            dropped_attributes=self._products.dropped_attributes,
        )

    def _settle(self, batch: Batch, outcomes: Outcomes) -> None:
        refusals = list(batch.refusals)
        last_id = self._progress.last_id
        for product, (row, line), error in zip(batch.request.products, batch.places, outcomes, strict=True):
            if error is None:
                last_id = product.id
            else:
                refusals.append(Refusal.of(row, line, product.id, error))
        self._report.add(sorted(refusals, key=lambda refusal: refusal.row))
        self._progress = Progress(
            fingerprint=self._progress.fingerprint,
            rows=batch.last_row,
            accepted=self._progress.accepted + sum(error is None for error in outcomes),
            refused=self._progress.refused + len(refusals),
            last_id=last_id,
            report_bytes=self._report.size,
        )
        self._checkpoint.save(self._progress)

    async def _is_kept(self, product_id: str) -> bool:
        """Whether the catalogue still has the last product acknowledged: it may be another one, or emptied since."""
        async with open_channel(self._settings.target) as channel:
            stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
            request = catalog_service_pb2.GetProductRequest(id=product_id)
            try:
                await call(stub.GetProduct, request, deadline=Deadline.after(_LOOK_UP_S), wait_for_ready=True)
            except NotFound:
                return False
            return True
