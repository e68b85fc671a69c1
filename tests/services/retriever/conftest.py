"""Engines over catalogues on disk, closed after the test; and the same over gRPC."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import grpc.aio
import numpy as np
import pytest

from gateway.clients.retriever import RetrieverClient
from services.retriever.backend import open_engine as open_backend
from services.retriever.engine import RetrieverEngine
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.ports import ProductFilter, Retrieval, RetrievalQuery, Retriever, WriteResult
from vitrine.product import Product
from vitrine.v1 import retriever_service_pb2_grpc
from vitrine.vectors import FloatArray, l2_normalized

SERVICE = "vitrine.v1.RetrieverService"
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64
DIM = 16

OpenEngine = Callable[..., Awaitable[RetrieverEngine]]


class Shop:
    """Short words for what tests do with a retriever, engine or client alike."""

    DIGEST = DIGEST
    OTHER_DIGEST = OTHER_DIGEST
    DIM = DIM

    @staticmethod
    def deadline() -> Deadline:
        """Longer than any test takes."""
        return Deadline.after(60)

    @staticmethod
    def product(number: int, **changes: Any) -> Product:
        """A product by number: even ones are Chinese, every third is of another brand, price = number."""
        fields: dict[str, Any] = {
            "id": f"p{number:05}",
            "title": f"智能手表 型号 wx-{number}" if number % 2 == 0 else f"smart watch model wx-{number}",
            "brand": "Zeta" if number % 3 == 0 else "Acme",
            "categories": ("电子 > 手表",) if number % 2 == 0 else ("Electronics > Watches > Smart",),
            "price": float(number),
            "currency_code": "CNY" if number % 2 == 0 else "EUR",
        }
        return Product(**fields | changes)

    @staticmethod
    def vectors(count: int, *, dim: int = DIM, seed: int = 0) -> FloatArray:
        """(count, dim) float32, L2-normalised, in loose clusters as text vectors are."""
        random = np.random.default_rng(seed)
        centres = random.normal(size=(20, dim))
        noise = random.normal(scale=0.6, size=(count, dim))
        return l2_normalized((centres[random.integers(20, size=count)] + noise).astype(np.float32))

    @classmethod
    async def fill(
        cls, retriever: Retriever, products: Sequence[Product], vectors: FloatArray, digest: str = DIGEST
    ) -> WriteResult:
        """Writes them all, 500 at a time; every one must go well."""
        for start in range(0, len(products), 500):
            part = slice(start, start + 500)
            result = await retriever.upsert_products(
                products[part], vectors[part], model_digest=digest, deadline=cls.deadline()
            )
            assert [outcome.error for outcome in result.outcomes] == [None] * len(products[part])
        return result

    @classmethod
    async def search(cls, retriever: Retriever, **query: Any) -> Retrieval:
        """Retrieves; a vector comes with the catalogue's digest."""
        if "vector" in query:
            query.setdefault("model_digest", DIGEST)
        return await retriever.retrieve(RetrievalQuery(**query), deadline=cls.deadline())

    @classmethod
    async def found(cls, retriever: Retriever, **query: Any) -> list[str]:
        """The ids that a search finds, best first; checks that none is there twice."""
        ids = [candidate.product_id for candidate in (await cls.search(retriever, **query)).candidates]
        assert len(set(ids)) == len(ids)
        return ids

    @staticmethod
    def filter(**conditions: Any) -> ProductFilter:
        """A filter."""
        return ProductFilter(**conditions)


@pytest.fixture(scope="session")
def shop() -> Shop:
    """See `Shop`."""
    return Shop()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that other tests of this process loaded are no fault of an engine's."""
    monkeypatch.setattr("services.retriever.engine.openmp_runtimes", list)


@pytest.fixture(scope="session")
def milvus_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Milvus server for all tests; each catalogue has a collection of its own in it."""
    from milvus_lite.adapter.grpc.server import start_server_in_thread
    from pymilvus import MilvusClient

    # One call at a time, unlike a server: of two first writes to a collection at once it forgets to close a file, and
    # the warning of that fails whichever test runs by then.
    folder = str(tmp_path_factory.mktemp("milvus") / "milvus.db")
    server, kept, port = start_server_in_thread(folder, host="127.0.0.1", port=0, max_workers=1)
    uri = f"http://127.0.0.1:{port}"
    yield uri
    client = MilvusClient(uri)
    for name in client.list_collections():
        # Else each would be written to disk at the end.
        client.drop_collection(name)
    client.close()
    server.stop(grace=2).wait()
    kept.close()


@pytest.fixture
async def open_engine(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[OpenEngine]:
    """Opens engines on the test's folder; keywords are fields of RetrieverSettings."""
    engines: list[RetrieverEngine] = []

    async def open_one(**settings: object) -> RetrieverEngine:
        # Processes that prepare are for `test_preparers`: they take a second to start.
        defaults: dict[str, object] = {"data_dir": tmp_path / "data", "port": 0, "write_processes": 0}
        if settings.get("backend") == "milvus":
            defaults |= {"milvus_uri": request.getfixturevalue("milvus_uri"), "milvus_index": "FLAT"}
        engine = await open_backend(RetrieverSettings.model_validate(defaults | settings))
        engines.append(cast(RetrieverEngine, engine))
        return engines[-1]

    yield open_one
    for engine in engines:
        await engine.close()


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The backend of the test's engine: the one below its retriever where it asks for one."""
    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    return "milvus" if params.get("retriever") == "milvus" else "faiss"


@pytest.fixture
async def engine(open_engine: OpenEngine, backend: str) -> RetrieverEngine:
    """An engine with an empty catalogue."""
    return await open_engine(backend=backend)


@pytest.fixture
def serve_engine(start_server: Any, channel_to: Any) -> Callable[[RetrieverEngine], Awaitable[RetrieverClient]]:
    """Serves an engine over gRPC; gives a client of it."""

    async def serve(engine: RetrieverEngine) -> RetrieverClient:
        def add(server: grpc.aio.Server) -> list[str]:
            servicer = RetrieverServicer(engine, default_timeout_s=10.0)
            retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(servicer, server)
            return [SERVICE]

        server = await start_server(add, self_test=engine.self_test)
        return RetrieverClient(channel_to(server.port))

    return serve


@pytest.fixture(params=["engine", "client", "milvus"])
async def retriever(request: pytest.FixtureRequest, engine: RetrieverEngine, serve_engine: Any) -> Retriever:
    """The engine itself, its client over gRPC, and the engine over Milvus: all are held to the same contract."""
    return await serve_engine(engine) if request.param == "client" else engine
