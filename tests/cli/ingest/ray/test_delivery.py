"""A feed through one Ray Data job on a local Ray: what is written is what every other way writes, in order."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest
import ray

from cli.ingest.batches import Batch
from cli.ingest.delivery import Outcomes
from cli.ingest.ray.delivery import RayDelivery
from cli.ingest.settings import IngestSettings
from gateway.product_embeddings import embedded
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, VitrineError
from vitrine.messages.product import product_to_message
from vitrine.ports import Embeddings, RetrievalQuery
from vitrine.product import Product
from vitrine.product_text import embedding_text
from vitrine.v1 import catalog_service_pb2, retriever_service_pb2_grpc

# Ray warns of what it will change, in its own code.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """A Ray with one processor, for all tests here: it takes seconds to start."""
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
async def retriever(tmp_path: Path) -> AsyncIterator[RetrieverEngine]:
    """An engine with an empty catalogue."""
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "data"))
    yield engine
    await engine.close()


@pytest.fixture
async def settings(retriever: RetrieverEngine, start_server: Any, tmp_path: Path) -> IngestSettings:
    """Of an ingest into that engine."""

    def add(server: grpc.aio.Server) -> list[str]:
        servicer = RetrieverServicer(retriever, default_timeout_s=10.0)
        retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(servicer, server)
        return ["vitrine.v1.RetrieverService"]

    server = await start_server(add)
    return IngestSettings(engine="ray", retriever_target=f"127.0.0.1:{server.port}", state_dir=tmp_path, ray_workers=1)


def _product(number: int, title: str = "") -> Product:
    return Product(id=f"p{number}", title=title or f"smart watch {number}", language="en")


def _batch(*products: Product) -> Batch:
    request = catalog_service_pb2.CatalogServiceUpsertProductsRequest(products=map(product_to_message, products))
    return Batch(request=request, places=[(row, row) for row, _ in enumerate(products, 1)])


async def _embedded(bundle: Path, products: list[Product]) -> Embeddings:
    """As the embedder service makes them."""
    budget = ComputeBudget()
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=bundle), budget)
    try:
        texts = [embedding_text(product) for product in products]
        return await embedded(engine, texts, model_digest="", deadline=Deadline.after(60))
    finally:
        await engine.close()
        await budget.close()


@pytest.mark.usefixtures("local_ray")
async def test_a_feed_is_embedded_by_the_job_and_written_in_its_order(
    retriever: RetrieverEngine, settings: IngestSettings, make_embedder_bundle: Any
) -> None:
    bundle: Path = make_embedder_bundle()
    settled: list[tuple[Batch, Outcomes]] = []
    batches = [
        _batch(*(_product(number) for number in range(5))),
        Batch(last_row=7),
        # Of an id that comes again the later row wins, and an item that is wrong fails alone.
        _batch(_product(3, "blue kettle"), Product(id="bad id", title="kettle"), _product(9)),
        _batch(_product(3, "red teapot")),
    ]
    delivery = RayDelivery(settings, lambda *one: settled.append(one), _no_waits, EmbedderSettings(bundle=bundle))
    await delivery.run(iter(batches))
    assert [batch for batch, _ in settled] == batches
    outcomes = [outcome for _, of_batch in settled for outcome in of_batch]
    assert [isinstance(outcome, InvalidArgument) for outcome in outcomes] == [*[False] * 6, True, *[False] * 2]
    products = [*(_product(n) for n in (0, 1, 2, 4, 9)), _product(3, "red teapot")]
    made = await _embedded(bundle, products)
    index = await retriever.get_index(deadline=Deadline.after(60))
    assert (index.products, index.model_digest) == (6, made.model_digest)
    for product, vector in zip(products, made.vectors, strict=True):
        query = RetrievalQuery(vector=vector, model_digest=made.model_digest, depth=6)
        found = (await retriever.retrieve(query, deadline=Deadline.after(60))).candidates
        [cosine] = [candidate.score for candidate in found if candidate.product_id == product.id]
        assert cosine == pytest.approx(1.0, abs=1e-5)


@pytest.mark.usefixtures("local_ray")
async def test_a_retriever_of_another_model_ends_the_ingest(
    retriever: RetrieverEngine, settings: IngestSettings, make_embedder_bundle: Any
) -> None:
    other = np.eye(1, 16, dtype=np.float32)
    await retriever.upsert_products([_product(1)], other, model_digest="sha256:other", deadline=Deadline.after(60))
    settled: list[Any] = []
    delivery = RayDelivery(
        settings, lambda *one: settled.append(one), _no_waits, EmbedderSettings(bundle=make_embedder_bundle())
    )
    with pytest.raises(FailedPrecondition, match="sha256:other"):
        await delivery.run(iter([_batch(_product(number)) for number in range(40)]))
    assert settled == []


async def test_what_is_read_after_the_end_is_no_fault_of_the_feed(
    retriever: RetrieverEngine, settings: IngestSettings, make_embedder_bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = np.eye(1, 16, dtype=np.float32)
    await retriever.upsert_products([_product(1)], other, model_digest="sha256:other", deadline=Deadline.after(60))
    ended, kill = threading.Event(), ray.kill

    def killed(*args: Any, **named: Any) -> None:
        kill(*args, **named)
        ended.set()

    def batches() -> Iterator[Batch]:
        # A row comes out when those behind it come in.
        yield from map(_batch, map(_product, range(1, 6)))
        assert ended.wait(60)
        time.sleep(0.2)
        yield _batch(_product(6))

    monkeypatch.setattr(ray, "kill", killed)
    delivery = RayDelivery(settings, lambda *_: None, _no_waits, EmbedderSettings(bundle=make_embedder_bundle()))
    with pytest.raises(FailedPrecondition, match="sha256:other"):
        await delivery.run(batches())
    assert delivery._read_fault is None


def _no_waits(wait_s: float, error: VitrineError) -> None:
    raise AssertionError(f"waited {wait_s} s for {error}")
