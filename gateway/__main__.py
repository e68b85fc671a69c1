"""`python -m gateway`: serves the public API over the suite's services until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.clients.embedder import EmbedderClient
from gateway.clients.ranker import RankerClient
from gateway.clients.release_store import ReleaseStoreClient
from gateway.clients.retriever import RetrieverClient
from gateway.events.settings import EventsSettings
from gateway.serving import Ports, serve_gateway
from gateway.settings import GatewaySettings
from vitrine.channel import open_channel
from vitrine.tls import TlsSettings, client_tls
from vitrine.wrong_settings import wrong_settings_told


def main() -> None:
    """Settings, engine, servicers, serve."""
    settings = GatewaySettings()

    @asynccontextmanager
    async def clients() -> AsyncIterator[Ports]:
        tls = client_tls(TlsSettings())
        async with (
            open_channel(settings.embedder_target, tls=tls) as embedder,
            open_channel(settings.retriever_target, tls=tls) as retriever,
            open_channel(settings.ranker_target, tls=tls) as ranker,
        ):
            yield Ports(
                EmbedderClient(embedder),
                RetrieverClient(retriever, patience_s=settings.retrieve_patience_s),
                RankerClient(ranker),
                ReleaseStoreClient(retriever),
            )

    asyncio.run(serve_gateway(settings, EventsSettings(), clients))


if __name__ == "__main__":
    with wrong_settings_told():
        main()
