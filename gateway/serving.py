"""The gateway put together over three ports, and served: gRPC and HTTP over one pipeline."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import structlog

from gateway.admission import Admission
from gateway.ads.expectation import ClickExpectation
from gateway.ads.placement import Ads
from gateway.ads.relevance import AdRelevance
from gateway.ads.service import Campaigns
from gateway.ads.settings import AdsSettings
from gateway.api import Api
from gateway.auth.guard import AuthGuard, open_guard
from gateway.auth.settings import AuthSettings
from gateway.catalog import Catalog
from gateway.circuit_breaker import CircuitBreaker
from gateway.content.placement import Content
from gateway.embedding_cache import CacheUnavailable, EmbeddingCache
from gateway.events.settings import EventsSettings
from gateway.events.spare_reads import SpareReads
from gateway.events.store import EventStore
from gateway.experiments.assignment import Experiments
from gateway.experiments.settings import ExperimentsSettings
from gateway.explaining import Explaining
from gateway.highlighting import Highlighting
from gateway.http import http_application
from gateway.http_server import http_server
from gateway.kept_answers import KeptAnswers
from gateway.model_agreement import require_one_model
from gateway.ops.api import OpsApi
from gateway.ops.query_counts import QueryCounts
from gateway.ops.readings import Readings
from gateway.ops.servicer import OpsServicer
from gateway.personalisation import Personalisation
from gateway.pipeline import SearchPipeline
from gateway.query_vectors import QueryVectors
from gateway.rank_depth import RankDepth
from gateway.ranking import RankStage
from gateway.recommendation.candidates import Candidates
from gateway.recommendation.fusion import Fusion
from gateway.recommendation.kept_listings import KeptListings
from gateway.recommendation.pipeline import Recommender
from gateway.recommendation.placement import PlacementRecommender
from gateway.recommendation.placements import fused_of, placements_of, tastes_of
from gateway.recommendation.popular import PopularProducts
from gateway.recommendation.query import Placement
from gateway.recommendation.settings import RecommendationSettings
from gateway.releases.api import ReleaseApi
from gateway.releases.current import answering_by
from gateway.releases.follower import Follower
from gateway.releases.gates import Gates
from gateway.releases.served_parts import ServedParts
from gateway.releases.service import ReleaseAdmin
from gateway.releases.servicer import ReleaseServicer
from gateway.search_orders import SearchOrders
from gateway.servicer import (
    AdServicer,
    CatalogServicer,
    RecommendationServicer,
    SearchServicer,
    UserEventServicer,
)
from gateway.settings import GatewaySettings
from gateway.sorted_search import SortedSearch
from gateway.suggest.past_queries import PastQueries
from gateway.suggest.settings import SuggestSettings
from gateway.suggest.suggester import Suggester
from gateway.text_retrieval import TextRetrieval
from gateway.turns import Turns
from gateway.unary_calls import SERVICES
from gateway.user_events import UserEvents
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, VitrineError
from vitrine.garbage import keep_what_is_there
from vitrine.guard import Door
from vitrine.ports import Embedder, Ranker, Retriever
from vitrine.ports.release import ReleaseStore
from vitrine.server import SelfTest, Server, serve
from vitrine.tls import TlsSettings
from vitrine.v1 import (
    ad_service_pb2_grpc,
    catalog_service_pb2_grpc,
    ops_service_pb2_grpc,
    recommendation_service_pb2_grpc,
    release_service_pb2_grpc,
    search_service_pb2_grpc,
    user_event_service_pb2_grpc,
)

_SELF_TEST_TIMEOUT_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """The parts that the gateway asks: engines of this process, or clients of others."""

    embedder: Embedder
    retriever: Retriever
    ranker: Ranker
    releases: ReleaseStore | None = None


class Gateway:
    """The engine: everything between the servicers and the ports."""

    def __init__(
        self,
        settings: GatewaySettings,
        ports: Ports,
        events: EventsSettings,
        recommendation: RecommendationSettings | None = None,
    ) -> None:
        """Without `recommendation` its defaults hold. Raises FailedPrecondition when a redis_url is not one."""
        recommendation = recommendation or RecommendationSettings()
        self.ready = False
        self.ports = ports
        self._settings = settings
        self._vectors = QueryVectors(
            ports.embedder,
            _cache(settings) if settings.redis_url else None,
            kept=settings.kept_vectors,
            embed_timeout_s=settings.embed_timeout_s,
            cache_is_own=settings.cache_is_own,
        )
        turns = Turns()
        text_retrieval = TextRetrieval(self._vectors, ports.retriever, turns)
        rank_stage = RankStage(
            ports.ranker,
            RankDepth(min_time_s=settings.rank_reserve_s / 2),
            timeout_s=settings.rank_timeout_s,
            reserve_s=settings.rank_reserve_s,
        )
        self._event_store = EventStore(events) if events.redis_url else None
        self._spare_reads = SpareReads(self._event_store) if self._event_store is not None else None
        fusion = (
            Fusion(*map(Path, (recommendation.bundle, *recommendation.further_bundles)))
            if recommendation.bundle
            else None
        )
        parts = ServedParts(ports.embedder, ports.ranker, ports.retriever, fusion.digests if fusion else ())
        self._releases = Follower(ports.releases, parts, follow_s=settings.releases_follow_s)
        experiments = Experiments(ExperimentsSettings().file, self._releases.named)
        tastes = tastes_of(fusion, ports.embedder, ports.retriever, recommendation.interests)
        popular = PopularProducts(self._spare_reads, recommendation.popularity_kept_s)
        orders = SearchOrders(
            text_retrieval, rank_stage, Personalisation(self._spare_reads, tastes, recommendation), turns
        )
        pipeline = SearchPipeline(
            orders,
            ports.retriever,
            Admission(settings.max_searches, "searches"),
            experiments,
            self._releases,
            Explaining(ports.ranker, ports.retriever, reserve_s=settings.rank_reserve_s),
            Highlighting(ports.retriever),
            SortedSearch(text_retrieval, ports.retriever, popular, result_window=settings.result_window),
            rank_depth=settings.rank_depth,
            result_window=settings.result_window,
            at_a_time=settings.searches_at_a_time,
        )
        candidates = Candidates(text_retrieval, ports.retriever, popular)
        fused = fused_of(fusion, candidates, ports.embedder, ports.retriever)
        ads = AdsSettings()
        campaigns = Campaigns(self._event_store, events.prefix, ads)
        ad_relevance = AdRelevance(candidates, text_retrieval, rank_stage, ports.retriever, ads)
        placements: dict[Placement, PlacementRecommender] = {
            **placements_of(candidates, fused, KeptListings(ports.retriever, recommendation.answers_kept_s)),
            Placement.ADS: Ads(
                campaigns.ledger, self._spare_reads, ad_relevance, ClickExpectation(fused, ads.click_rate), ads
            ),
            Placement.CONTENT: Content(candidates, ports.retriever),
        }
        recommender = Recommender(
            placements,
            self._spare_reads,
            Admission(recommendation.max_recommendations, "recommendations"),
            recommendation,
            experiments,
            self._releases,
        )
        gates = Gates(
            orders,
            rank_depth=settings.rank_depth,
            result_window=settings.result_window,
            recall_floor=settings.release_recall_floor,
            ndcg_loss=settings.release_ndcg_loss,
        )
        self.release_api = ReleaseApi(ReleaseAdmin(self._releases, parts, ports.embedder, gates))
        suggest = SuggestSettings()
        past_queries = PastQueries(
            self._event_store,
            least_weight=suggest.least_weight,
            limit=suggest.past_queries,
            refresh_s=suggest.refresh_s,
        )
        self._suggester = Suggester(
            ports.retriever, past_queries, Admission(suggest.max_suggests, "calls for suggestions")
        )
        self._answers = KeptAnswers(
            pipeline, ports.retriever, self._releases, limit_bytes=settings.kept_answers_mb * 1_000_000
        )
        self._query_counts = (
            QueryCounts(self._event_store.connection, events.prefix) if settings.ops and self._event_store else None
        )
        readings = Readings(settings.ops_processes, f"{settings.host}:{settings.http_port}") if settings.ops else None
        self.ops_api = OpsApi(readings, self._event_store, self._query_counts)
        self.api = Api(
            self._answers,
            self._suggester,
            recommender,
            Catalog(ports.embedder, ports.retriever, Admission(settings.max_writes, "writes"), self._releases),
            UserEvents(self._event_store, campaigns, Admission(events.max_writes, "writes of events")),
            campaigns,
            self._query_counts,
        )

    def add_to(self, server: grpc.aio.Server) -> tuple[str, ...]:
        """Registers the servicers; returns the full names of their services."""
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(SearchServicer(self.api, self._settings), server)
        recommendation_service_pb2_grpc.add_RecommendationServiceServicer_to_server(
            RecommendationServicer(self.api, self._settings), server
        )
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogServicer(self.api, self._settings), server)
        user_events = UserEventServicer(self.api, self._settings)
        user_event_service_pb2_grpc.add_UserEventServiceServicer_to_server(user_events, server)
        ad_service_pb2_grpc.add_AdServiceServicer_to_server(AdServicer(self.api, self._settings), server)
        releases = ReleaseServicer(self.release_api, self._settings.default_timeout_s)
        release_service_pb2_grpc.add_ReleaseServiceServicer_to_server(releases, server)
        ops = OpsServicer(self.ops_api, self._settings.default_timeout_s)
        ops_service_pb2_grpc.add_OpsServiceServicer_to_server(ops, server)
        return SERVICES

    async def self_test(self) -> None:
        """Passes when a search can be answered: the retriever is there, and its index is of the embedder's model.

        Raises what the retriever raises, or FailedPrecondition naming both digests. A part that searches can do
        without is only logged.
        """
        try:
            await self._check_parts()
        except BaseException:
            self.ready = False
            raise
        self.ready = True

    async def _check_parts(self) -> None:
        index = await self.ports.retriever.get_index(deadline=Deadline.after(_SELF_TEST_TIMEOUT_S))
        release = (await self._releases.latest(deadline=Deadline.after(_SELF_TEST_TIMEOUT_S))).serving
        try:
            with answering_by(release):
                digest = await self._vectors.refresh_model(deadline=Deadline.after(_SELF_TEST_TIMEOUT_S))
        except VitrineError as error:
            log.warning("embedder away", error=error.message)
        else:
            require_one_model(index, digest)
            try:
                served = await self.ports.ranker.get_model(deadline=Deadline.after(_SELF_TEST_TIMEOUT_S))
            except VitrineError as error:
                log.warning("ranker away", error=error.message)
            else:
                self._answers.models = (digest, served.digest)
        try:
            await self._vectors.check_cache()
        except CacheUnavailable as error:
            log.warning("cache away", error=str(error))

    @asynccontextmanager
    async def http(self, guard: AuthGuard | None = None) -> AsyncIterator[int]:
        """Serves HTTP, drained on the way out; yields the port. Raises FailedPrecondition when it cannot be had."""
        application = http_application(
            self.api, self.release_api, self.ops_api, self._settings, lambda: self.ready, guard
        )
        async with http_server(application, self._settings, self._settings.tls(TlsSettings())) as port:
            try:
                yield port
            finally:
                self.ready = False

    async def drain(self) -> None:
        """Waits until what is being written to the cache is there."""
        await self._vectors.drain()

    async def close(self) -> None:
        """Closes what the gateway opened; the ports are their opener's."""
        await self._suggester.close()
        await self._releases.close()
        await self._vectors.close()
        if self._query_counts is not None:
            await self._query_counts.close()
        if self._spare_reads is not None:
            await self._spare_reads.close()
        if self._event_store is not None:
            await self._event_store.close()


async def serve_gateway(
    settings: GatewaySettings,
    events: EventsSettings,
    open_ports: Callable[[], AbstractAsyncContextManager[Ports]],
    on_open: Callable[[], None] = lambda: None,
    recommendation: RecommendationSettings | None = None,
) -> None:
    """Serves gRPC and HTTP until SIGINT or SIGTERM, then drains.

    `open_ports` opens the parts once the port is taken, and closes them last; `on_open` is told when calls are let in.
    """

    guard: AuthGuard | None = None

    def door() -> Door:
        nonlocal guard
        guard = open_guard(AuthSettings(), settings)
        return Door(guard, settings.tls(TlsSettings()))

    @asynccontextmanager
    async def part(server: Server) -> AsyncIterator[SelfTest]:
        # Where any free port was asked for, the page names the one that was taken.
        listening = settings.model_copy(update={"port": server.port})
        async with open_ports() as ports:
            gateway = Gateway(listening, ports, events, recommendation)
            gateway.add_to(server.grpc)
            try:
                async with gateway.http(guard) as http_port:
                    log.info("listening", host=settings.host, http_port=http_port)
                    keep_what_is_there()
                    on_open()
                    yield gateway.self_test
            finally:
                await gateway.close()
                if guard is not None:
                    await guard.close()

    await serve("gateway", settings, SERVICES, part, door)


def _cache(settings: GatewaySettings) -> EmbeddingCache:
    try:
        return EmbeddingCache(
            settings.redis_url,
            prefix=settings.cache_prefix,
            dtype=settings.cache_dtype,
            ttl_s=settings.cache_ttl_s,
            ttl_jitter=settings.cache_ttl_jitter,
            wait_s=settings.cache_wait_s,
            command_timeout_s=settings.cache_command_timeout_s,
            breaker=CircuitBreaker(settings.cache_breaker_failures, settings.cache_breaker_cool_down_s),
        )
    except ValueError:
        # Not what is wrong with it: an address may hold a password.
        raise FailedPrecondition("redis_url is not an address such as redis://127.0.0.1:6379") from None
