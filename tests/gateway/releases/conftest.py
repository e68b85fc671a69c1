"""A shop with two rankers, two recommenders and two embedders, asked over gRPC, in one process or as a suite."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.clients.embedder import EmbedderClient
from gateway.clients.ranker import RankerClient
from gateway.clients.release_store import ReleaseStoreClient
from gateway.clients.retriever import RetrieverClient
from gateway.events.settings import EventsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from services.embedder.engines import EmbedderEngines
from services.embedder.servicer import EmbedderServicer
from services.embedder.settings import EmbedderSettings
from services.ranker.engines import RankerEngines
from services.ranker.servicer import RankerServicer
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.releases.servicer import ReleaseStoreServicer
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from tests.gateway.conftest import sample_products
from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.experiments.conftest import experiments_file
from tests.gateway.recommendation.learned_shop import write_learned
from vitrine.bundle import Manifest, load_bundle, write_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import Embeddings
from vitrine.product import Product
from vitrine.v1 import (
    embedder_service_pb2_grpc,
    ranker_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
    release_pb2,
    release_service_pb2,
    release_service_pb2_grpc,
    release_store_service_pb2_grpc,
    retriever_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)

__all__ = ["events_settings", "experiments_file", "raw", "store_server"]
LIMIT_S = 60.0


@dataclass(frozen=True)
class Models:
    """Folders and digests of two bundles of each kind; the second ranker's order and logits are others."""

    folders: dict[str, Path]
    digests: dict[str, str]

    def settings(self) -> tuple[EmbedderSettings, RankerSettings, RecommendationSettings]:
        """Those that serve all of them, the shipped ones first."""
        folders = {name: str(folder) for name, folder in self.folders.items()}
        return (
            EmbedderSettings(
                recommender=folders["recommender"],
                further_recommenders=(folders["recommender-2"],),
                further_bundles=(folders["embedder-2"],),
            ),
            RankerSettings(further_bundles=(folders["ranker-2"],)),
            RecommendationSettings(
                bundle=folders["recommender"],
                further_bundles=(folders["recommender-2"],),
                events_timeout_s=30.0,
                popularity_kept_s=0.0,
            ),
        )


def _changed(folder: Path, source: Path, **changes: Any) -> tuple[Path, str]:
    """A bundle of the files of another with its manifest changed."""
    folder.mkdir()
    bundle = load_bundle(source, "ranker" if source.name == "ranker" else "embedder")
    for name in bundle.manifest.files:
        (folder / name).symlink_to((source / name).resolve())
    manifest: Manifest = bundle.manifest.model_copy(update=changes)
    return folder, write_bundle(folder, manifest).manifest.digest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, shop_vectors: Embeddings) -> Models:
    """Two of each kind."""
    root = tmp_path_factory.mktemp("models")
    ranker = load_bundle(Path("models/ranker"), "ranker").manifest
    assert ranker.calibration is not None
    # What the retriever found counts against a product: the order is another one, plainly.
    against = {"logit": 1e-6, "dense": -10.0, "lexical": 0.0}
    made = {
        "ranker-2": _changed(
            root / "ranker-2",
            Path("models/ranker"),
            calibration=ranker.calibration.model_copy(update={"evidence": against}),
            # Cuts what it reads, so that its logits are others too.
            max_tokens=10,
        ),
        "embedder-2": _changed(
            root / "embedder-2", Path("models/embedder"), prompts={"query": "", "document": "product: "}
        ),
    }
    for number, name in enumerate(("recommender", "recommender-2")):
        dim = shop_vectors.vectors.shape[1]
        bundle = write_learned(root / name, shop_vectors.model_digest, dim, seed=number)
        made[name] = (bundle.folder, bundle.manifest.digest)
    folders = {name: folder for name, (folder, _) in made.items()}
    digests = {name: digest for name, (_, digest) in made.items()}
    return Models(folders, {**digests, "embedder": shop_vectors.model_digest, "ranker": ranker.digest})


@pytest.fixture(scope="session")
async def engines(models: Models) -> AsyncIterator[tuple[EmbedderEngines, RankerEngines]]:
    """Embedder and ranker that serve all bundles."""
    budget = ComputeBudget()
    embedder_settings, ranker_settings, _ = models.settings()
    embedder = await EmbedderEngines.open(embedder_settings, budget)
    ranker = await RankerEngines.open(ranker_settings, budget)
    yield embedder, ranker
    await embedder.close()
    await ranker.close()
    await budget.close()


class Shop:
    """What a test does: search, recommend, and change releases."""

    def __init__(self, gateway: Gateway, channel: grpc.aio.Channel) -> None:
        self.gateway = gateway
        self.channel = channel
        self.releases = release_service_pb2_grpc.ReleaseServiceStub(channel)
        self._search = search_service_pb2_grpc.SearchServiceStub(channel)
        self._recommend = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)

    async def search(self, query: str = "smart watch", **fields: Any) -> search_service_pb2.SearchResponse:
        """One search."""
        request = search_service_pb2.SearchRequest(query=query, **fields)
        answer: search_service_pb2.SearchResponse = await self._search.Search(request, timeout=LIMIT_S)
        return answer

    async def recommend(self, **fields: Any) -> recommendation_service_pb2.RecommendResponse:
        """One recommendation."""
        request = recommendation_service_pb2.RecommendRequest(**fields)
        answer: recommendation_service_pb2.RecommendResponse = await self._recommend.Recommend(request, timeout=LIMIT_S)
        return answer

    async def create(self, name: str, **digests: str) -> release_service_pb2.ReleaseStatus:
        """Writes a release."""
        release = release_pb2.Release(name=name, **digests)
        request = release_service_pb2.CreateReleaseRequest(release=release)
        status: release_service_pb2.ReleaseStatus = (await self.releases.CreateRelease(request, timeout=LIMIT_S)).status
        return status

    async def flip(self, name: str, force: bool = False) -> release_service_pb2.ListReleasesResponse:
        """Makes a release serve."""
        request = release_service_pb2.FlipReleaseRequest(name=name, force=force)
        answer: release_service_pb2.FlipReleaseResponse = await self.releases.FlipRelease(request, timeout=LIMIT_S)
        return answer.releases

    async def adopt(self, name: str) -> None:
        """Makes a release's embedder the catalogue's own."""
        await self.releases.AdoptRelease(release_service_pb2.AdoptReleaseRequest(name=name), timeout=LIMIT_S)

    async def build(self, name: str, **queries: dict[str, float]) -> release_service_pb2.BuildReleaseResponse:
        """Builds a release to its end; `queries` are gains by product id."""
        judged = [release_service_pb2.JudgedQuery(query=query, gains=gains) for query, gains in queries.items()]
        request = release_service_pb2.BuildReleaseRequest(name=name, queries=judged)
        while not (answer := await self.releases.BuildRelease(request, timeout=LIMIT_S)).done:
            pass
        return answer

    async def upsert(self, *products: Product) -> None:
        """Writes products through the gateway's catalogue."""
        written = await self.gateway.api.catalog.upsert_products(products, deadline=Deadline.after(LIMIT_S))
        assert [outcome.error for outcome in written.outcomes] == [None] * len(products)

    async def listed(self) -> dict[str, release_service_pb2.ReleaseStatus]:
        """The releases by name."""
        answer = await self.releases.ListReleases(release_service_pb2.ListReleasesRequest(), timeout=LIMIT_S)
        return {status.release.name: status for status in answer.releases}


OpenShop = Callable[..., Awaitable[Shop]]


@pytest.fixture(params=["one process", "suite"])
async def open_shop(
    request: pytest.FixtureRequest,
    models: Models,
    engines: tuple[EmbedderEngines, RankerEngines],
    shop_vectors: Embeddings,
    start_server: Any,
    channel_to: Any,
    tmp_path: Path,
) -> AsyncIterator[OpenShop]:
    """Opens gateways over one retriever, which holds the sample products."""
    embedder, ranker = engines
    folders = {name: str(folder) for name, folder in models.folders.items()}
    retriever = await RetrieverEngine.open(
        RetrieverSettings(
            data_dir=tmp_path / "data",
            recommender=folders["recommender"],
            further_recommenders=(folders["recommender-2"],),
        )
    )
    await retriever.upsert_products(
        sample_products(),
        shop_vectors.vectors,
        model_digest=shop_vectors.model_digest,
        deadline=Deadline.after(LIMIT_S),
    )

    def services(server: grpc.aio.Server) -> Sequence[str]:
        embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(EmbedderServicer(embedder, 10.0), server)
        ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(RankerServicer(ranker, 10.0), server)
        retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(RetrieverServicer(retriever, 10.0), server)
        store = ReleaseStoreServicer(retriever.releases, 10.0)
        release_store_service_pb2_grpc.add_ReleaseStoreServiceServicer_to_server(store, server)
        return ["vitrine.v1.EmbedderService"]

    ports = Ports(embedder, retriever, ranker, retriever.releases)
    if request.param == "suite":
        channel = channel_to((await start_server(services)).port)
        ports = Ports(
            EmbedderClient(channel), RetrieverClient(channel), RankerClient(channel), ReleaseStoreClient(channel)
        )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(retriever.close)

        async def opened(events: EventsSettings | None = None) -> Shop:
            _, _, recommendation = models.settings()
            settings = GatewaySettings(redis_url="", http_port=0, rank_timeout_s=30.0, embed_timeout_s=30.0)
            gateway = Gateway(settings, ports, events or EventsSettings(), recommendation)
            stack.push_async_callback(gateway.close)
            server = await start_server(gateway.add_to, self_test=gateway.self_test)
            return Shop(gateway, channel_to(server.port))

        yield opened


@pytest.fixture
async def shop(open_shop: OpenShop) -> Shop:
    """A shop without experiments."""
    return await open_shop()
