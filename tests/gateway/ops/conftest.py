"""A shop whose operators look at it: over gRPC, with an event store and two rankers to release."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.events.settings import EventsSettings
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from services.embedder.engines import EmbedderEngines
from services.embedder.settings import EmbedderSettings
from services.ranker.engines import RankerEngines
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from tests.gateway.conftest import OpenCatalogue, Part
from tests.gateway.events.conftest import events_settings, raw, store_server
from vitrine.bundle import load_bundle, write_bundle
from vitrine.compute import ComputeBudget
from vitrine.v1 import (
    ops_service_pb2,
    ops_service_pb2_grpc,
    release_pb2,
    release_service_pb2,
    release_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    user_event_pb2,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)

__all__ = ["events_settings", "raw", "store_server"]
LIMIT_S = 60.0


@dataclass(slots=True)
class OpsShop:
    """A gateway, each of its parts behind a `Part`, and what a test does with it."""

    gateway: Gateway
    embedder: Part
    ranker: Part
    second_ranker: str
    channel: grpc.aio.Channel
    numbers: Any

    @property
    def ops(self) -> ops_service_pb2_grpc.OpsServiceStub:
        """OpsService."""
        return ops_service_pb2_grpc.OpsServiceStub(self.channel)

    async def search(self, query: str, **fields: Any) -> search_service_pb2.SearchResponse:
        """One search."""
        stub = search_service_pb2_grpc.SearchServiceStub(self.channel)
        request = search_service_pb2.SearchRequest(query=query, **fields)
        answer: search_service_pb2.SearchResponse = await stub.Search(request, timeout=LIMIT_S)
        return answer

    async def overview(self) -> ops_service_pb2.GetOverviewResponse:
        """What has changed, all since the overview before where that was less than a minute ago."""
        request = ops_service_pb2.GetOverviewRequest()
        answer: ops_service_pb2.GetOverviewResponse = await self.ops.GetOverview(request, timeout=LIMIT_S)
        return answer

    async def queries(self, order_by: str = "SEARCHES", limit: int = 0) -> dict[str, tuple[int, int, int]]:
        """Queries listed: searches, those without results, and those without words, as of this moment."""
        request = ops_service_pb2.ListQueriesRequest(order_by=f"QUERY_ORDER_{order_by}", limit=limit)
        answer = await self.ops.ListQueries(request, timeout=LIMIT_S)
        return {one.query: (round(one.searches), round(one.no_results), round(one.no_words)) for one in answer.queries}

    async def tells(self, kind: str, visitor_id: str, *places: tuple[str, int], **fields: Any) -> None:
        """Writes an event of a visitor about products and where they stood."""
        event = user_event_pb2.UserEvent(
            event_id=f"e{next(self.numbers)}",
            event_type=f"EVENT_TYPE_{kind}",
            visitor_id=visitor_id,
            products=[user_event_pb2.EventProduct(product_id=one, position=position) for one, position in places],
            **fields,
        )
        stub = user_event_service_pb2_grpc.UserEventServiceStub(self.channel)
        request = user_event_service_pb2.WriteUserEventsRequest(events=[event])
        answer = await stub.WriteUserEvents(request, timeout=LIMIT_S)
        assert not any(outcome.HasField("status") for outcome in answer.outcomes)

    async def clicked(self) -> dict[str, tuple[int, float, int, str]]:
        """Worst-ranked clicks by query: how many, mean and worst position, and what was clicked there."""
        request = ops_service_pb2.ListWorstRankedClicksRequest()
        answer = await self.ops.ListWorstRankedClicks(request, timeout=LIMIT_S)
        return {
            one.query: (one.clicks, one.mean_position, one.worst_position, one.worst_product_id)
            for one in answer.queries
        }

    async def create_release(self, name: str) -> None:
        """Writes a release of the second ranker."""
        stub = release_service_pb2_grpc.ReleaseServiceStub(self.channel)
        release = release_pb2.Release(name=name, ranker_digest=self.second_ranker)
        await stub.CreateRelease(release_service_pb2.CreateReleaseRequest(release=release), timeout=LIMIT_S)


@pytest.fixture(scope="session")
def second_ranker(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder and digest of a ranker that cuts what it reads."""
    shipped, folder = Path("models/ranker"), tmp_path_factory.mktemp("ranker-2")
    bundle = load_bundle(shipped, "ranker")
    for name in bundle.manifest.files:
        (folder / name).symlink_to((shipped / name).resolve())
    return folder, write_bundle(folder, bundle.manifest.model_copy(update={"max_tokens": 10})).manifest.digest


@pytest.fixture(scope="session")
async def engines(second_ranker: tuple[Path, str]) -> AsyncIterator[tuple[EmbedderEngines, RankerEngines]]:
    """The shipped embedder, and both rankers."""
    budget = ComputeBudget()
    embedder = await EmbedderEngines.open(EmbedderSettings(), budget)
    ranker = await RankerEngines.open(RankerSettings(further_bundles=(str(second_ranker[0]),)), budget)
    yield embedder, ranker
    await embedder.close()
    await ranker.close()
    await budget.close()


@pytest.fixture
async def open_ops(
    engines: tuple[EmbedderEngines, RankerEngines],
    second_ranker: tuple[Path, str],
    catalogue: RetrieverEngine,
    open_catalogue: OpenCatalogue,
    events_settings: EventsSettings,
    start_server: Any,
    channel_to: Any,
) -> AsyncIterator[Any]:
    """Opens such shops; keywords are settings of the gateway. With `own_catalogue` the test may change its releases."""
    async with AsyncExitStack() as stack:

        async def opened(
            events: EventsSettings = events_settings, own_catalogue: bool = False, **settings: Any
        ) -> OpsShop:
            retriever = await open_catalogue() if own_catalogue else catalogue
            embedder, ranker = map(Part, engines)
            patient = {"redis_url": "", "http_port": 0, "ops": True, "rank_timeout_s": 30.0, "embed_timeout_s": 30.0}
            gateway = Gateway(
                GatewaySettings.model_validate(patient | settings),
                Ports(embedder, retriever, ranker, retriever.releases),
                events,
            )
            stack.push_async_callback(gateway.close)
            server = await start_server(gateway.add_to, self_test=gateway.self_test)
            return OpsShop(gateway, embedder, ranker, second_ranker[1], channel_to(server.port), count())

        yield opened


@pytest.fixture
async def ops_shop(open_ops: Any) -> OpsShop:
    """A shop with an empty event store."""
    shop: OpsShop = await open_ops()
    return shop
