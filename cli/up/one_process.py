"""The one-process shape: the engines of all parts behind one gateway, sharing one compute budget."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import typer

from cli.up.hints import hints
from cli.up.local_redis import cache_redis, events_redis
from cli.up.model_of_index import require_model_of_index
from cli.up.own_gateway import trust_own_gateway
from cli.up.ports import require_free, require_free_port, with_ports
from cli.up.sample_fill import fill_if_empty
from cli.up.settings import UpSettings
from cli.up.supervisor import Supervisor
from gateway.events.settings import EventsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.serving import Ports, serve_gateway
from gateway.settings import GatewaySettings
from services.embedder.engines import EmbedderEngines
from services.embedder.settings import EmbedderSettings
from services.ranker.engines import RankerEngines
from services.ranker.settings import RankerSettings
from services.retriever.backend import open_engine
from services.retriever.settings import RetrieverSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError

_LOOK_UP_S = 10.0


async def run_one_process(settings: UpSettings) -> None:
    """Serves until SIGINT or SIGTERM.

    Raises FailedPrecondition when a port is taken, and SystemExit(1), with the reason logged, when a part cannot open.
    """
    gateway = with_ports(_for_people(GatewaySettings()))
    trust_own_gateway(gateway)
    require_free_port(gateway)
    require_free(gateway.host, gateway.http_port, "VITRINE_GATEWAY_HTTP_PORT")
    events, servers = EventsSettings(), []
    if not gateway.redis_url:
        servers.append(cache := cache_redis(settings))
        gateway = gateway.model_copy(update={"redis_url": cache.url, "cache_is_own": True})
    if not events.redis_url:
        servers.append(event_store := events_redis(events))
        events = events.model_copy(update={"redis_url": event_store.url})
    opened = asyncio.Event()

    @asynccontextmanager
    async def parts() -> AsyncIterator[Ports]:
        async with AsyncExitStack() as stack:
            supervisor = Supervisor(settings, typer.echo)
            stack.push_async_callback(supervisor.stop)
            for server in servers:
                await server.start(supervisor)
            supervisor.strict = False
            ports = await _open_engines(stack, settings)
            welcome = asyncio.create_task(_welcome(ports, opened, gateway, settings))
            try:
                yield ports
            finally:
                welcome.cancel()
                await asyncio.wait({welcome})

    recommendation = RecommendationSettings()
    if settings.recommender:
        recommendation = recommendation.model_copy(update={"bundle": settings.recommender})
    await serve_gateway(gateway, events, parts, opened.set, recommendation)


def _for_people(settings: GatewaySettings) -> GatewaySettings:
    """Logs for a terminal, where nothing else was asked for: readable, and only what needs attention."""
    wanted = {"log_style": "console", "log_level": "warning"}
    return settings.model_copy(
        update={name: value for name, value in wanted.items() if name not in settings.model_fields_set}
    )


async def _open_engines(stack: AsyncExitStack, settings: UpSettings) -> Ports:
    budget = ComputeBudget()
    stack.push_async_callback(budget.close)
    embedder_settings, retriever_settings = EmbedderSettings(), RetrieverSettings()
    if settings.recommender:
        recommender = {"recommender": settings.recommender}
        embedder_settings = embedder_settings.model_copy(update=recommender)
        retriever_settings = retriever_settings.model_copy(update=recommender)
    retriever_settings.data_dir.mkdir(parents=True, exist_ok=True)
    opening = await asyncio.gather(
        EmbedderEngines.open(embedder_settings, budget),
        RankerEngines.open(RankerSettings(), budget),
        open_engine(retriever_settings),
        return_exceptions=True,
    )
    engines = [engine for engine in opening if not isinstance(engine, BaseException)]
    for engine in engines:
        stack.push_async_callback(engine.close)
    for failed in opening:
        if isinstance(failed, BaseException):
            raise failed
    for engine in engines:
        await engine.self_test()
    embedder, ranker, retriever = opening
    assert isinstance(embedder, EmbedderEngines)
    assert isinstance(ranker, RankerEngines)
    assert not isinstance(retriever, BaseException)
    await require_model_of_index(embedder, retriever)
    return Ports(embedder, retriever, ranker, retriever.releases)


async def _welcome(ports: Ports, opened: asyncio.Event, gateway: GatewaySettings, settings: UpSettings) -> None:
    await opened.wait()

    async def products_kept() -> int:
        return (await ports.retriever.get_index(deadline=Deadline.after(_LOOK_UP_S))).products

    target = f"{gateway.host}:{gateway.port}"
    try:
        await fill_if_empty(RetrieverSettings().data_dir, products_kept, target, settings, typer.echo)
    except VitrineError as error:
        typer.echo(f"error: the sample shop could not be loaded: {error.message}", err=True)
    typer.echo(hints(gateway))
