"""Batches through a Ray Data job to the retriever: embedded on many machines, written in the order of the feed."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import ray
import ray.data
from ray.util.queue import Queue

from cli.ingest.batches import Batch
from cli.ingest.delivery import Outcomes
from cli.ingest.patience import retries_of
from cli.ingest.ray.batch_embedder import EMBEDDINGS, BatchEmbedder
from cli.ingest.ray.feed import FeedSource
from cli.ingest.settings import IngestSettings
from gateway.clients.retriever import RetrieverClient
from gateway.product_embeddings import at_field
from services.embedder.settings import EmbedderSettings
from vitrine.channel import open_channel
from vitrine.client.retries import PASSING
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.messages.embedder import embeddings_from_message
from vitrine.messages.product import product_from_message
from vitrine.ports import ItemOutcome
from vitrine.tls import TlsSettings, client_tls
from vitrine.v1 import embedder_service_pb2

# Requests that wait for each worker.
_AHEAD = 4


class RayDelivery:
    """Stands for `cli.ingest.delivery.Delivery`: same batches in, `settle` called once for each, in order.

    Vectors come back to the ingest, which alone writes: of an id that a feed has twice the later row wins, however
    fast the workers are.
    """

    def __init__(
        self,
        settings: IngestSettings,
        settle: Callable[[Batch, Outcomes], None],
        waits: Callable[[float, VitrineError], None],
        embedder: EmbedderSettings | None = None,
    ) -> None:
        self._settings = settings
        self._settle = settle
        self._waits = waits
        self._embedder = embedder or EmbedderSettings()
        self._window: deque[Batch] = deque()
        self._read_fault: Exception | None = None

    async def run(self, batches: Iterator[Batch]) -> None:
        """Delivers all batches. Raises what no attempt mends, or what stopped `batches`, after all before it."""
        is_mine = not ray.is_initialized()
        if is_mine:
            await asyncio.to_thread(_connect, self._settings)
        try:
            await self._run(batches)
        finally:
            if is_mine:
                await asyncio.to_thread(ray.shutdown)
        if self._read_fault is not None:
            raise self._read_fault

    async def _run(self, batches: Iterator[Batch]) -> None:
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        workers = self._settings.ray_workers or max(1, int(resources["CPU"]))
        queue = await asyncio.to_thread(Queue, workers * _AHEAD, {"num_cpus": 0})
        feeder = threading.Thread(target=self._feed, args=(queue, batches), name="ingest-feed", daemon=True)
        feeder.start()
        try:
            async with open_channel(self._settings.retriever_target, tls=client_tls(TlsSettings())) as channel:
                retriever = RetrieverClient(channel)
                rows = self._job(queue, workers)
                while (row := await asyncio.to_thread(next, rows, None)) is not None:
                    batch = self._window.popleft()
                    self._settle(batch, await self._written(retriever, batch, row[EMBEDDINGS]))
        finally:
            # Also ends a feeder that waits for room; `shutdown` would take the actor from one that is about to put.
            ray.kill(queue.actor)  # type: ignore[arg-type]
            feeder.join()

    def _job(self, queue: Queue, workers: int) -> Iterator[dict[str, Any]]:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        # A batch goes on at once, and not only when many have filled a block.
        context.target_max_block_size = 1
        requests = ray.data.read_datasource(FeedSource(queue), override_num_blocks=1, num_cpus=0)
        embedded = requests.map_batches(
            BatchEmbedder,
            fn_constructor_args=(self._embedder, 1),
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
        )
        return iter(embedded.iter_rows())

    def _feed(self, queue: Queue, batches: Iterator[Batch]) -> None:
        try:
            for batch in batches:
                self._window.append(batch)
                queue.put(batch.request.SerializeToString())
            queue.put(None)
        except ray.exceptions.RayActorError:
            # The queue is gone, since the run ended.
            pass
        except Exception as error:
            self._read_fault = error
            queue.put(None)

    async def _written(self, retriever: RetrieverClient, batch: Batch, data: bytes) -> Outcomes:
        """Writes a batch with its vectors; the outcome of each of its products, in order."""
        if not data:
            return []
        made = embeddings_from_message(embedder_service_pb2.EmbedResponse.FromString(data))
        outcomes: Outcomes = [
            at_field(item.error, f"products[{index}].title") if item.error else None
            for index, item in enumerate(made.items)
        ]
        good = [index for index, error in enumerate(outcomes) if error is None]
        if good:
            products = [product_from_message(batch.request.products[index]) for index in good]

            async def write() -> tuple[ItemOutcome, ...]:
                deadline = Deadline.after(self._settings.call_timeout_s)
                written = await retriever.upsert_products(
                    products, made.vectors[good], model_digest=made.model_digest, deadline=deadline
                )
                return written.outcomes

            for index, outcome in zip(good, await self._patiently(write), strict=True):
                outcomes[index] = outcome.error
        return outcomes

    async def _patiently(self, write: Callable[[], Any]) -> tuple[ItemOutcome, ...]:
        began_at_s, attempt = time.monotonic(), 0
        retries = retries_of(self._settings, self._waits)
        while True:
            attempt += 1
            try:
                outcomes: tuple[ItemOutcome, ...] = await write()
                for outcome in outcomes:
                    if isinstance(outcome.error, PASSING):
                        raise outcome.error
                return outcomes
            except PASSING as error:
                if time.monotonic() - began_at_s > self._settings.give_up_s:
                    raise
                wait_s = retries.backoff_s(error, attempt)
                self._waits(wait_s, error)
                await asyncio.sleep(wait_s)


def _connect(settings: IngestSettings) -> None:
    """To the cluster at `ray_address`; without one, to a Ray of this machine alone that ends with the ingest."""
    if settings.ray_address:
        ray.init(address=settings.ray_address, log_to_driver=False)
    else:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
