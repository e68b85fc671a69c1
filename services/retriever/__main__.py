"""`python -m services.retriever`: serves the RetrieverService until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.retriever.backend import open_engine
from services.retriever.releases.servicer import ReleaseStoreServicer
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from vitrine.garbage import RARELY_ALL, keep_what_is_there
from vitrine.server import SelfTest, Server, serve
from vitrine.v1 import (
    release_store_service_pb2,
    release_store_service_pb2_grpc,
    retriever_service_pb2,
    retriever_service_pb2_grpc,
)
from vitrine.wrong_settings import wrong_settings_told

SERVICES = (
    retriever_service_pb2.DESCRIPTOR.services_by_name["RetrieverService"].full_name,
    release_store_service_pb2.DESCRIPTOR.services_by_name["ReleaseStoreService"].full_name,
)


def main() -> None:
    """Settings, engine, servicer, serve."""
    settings = RetrieverSettings()

    @asynccontextmanager
    async def retriever(server: Server) -> AsyncIterator[SelfTest]:
        engine = await open_engine(settings)
        keep_what_is_there(RARELY_ALL)
        servicer = RetrieverServicer(engine, settings.default_timeout_s)
        retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(servicer, server.grpc)
        releases = ReleaseStoreServicer(engine.releases, settings.default_timeout_s)
        release_store_service_pb2_grpc.add_ReleaseStoreServiceServicer_to_server(releases, server.grpc)
        try:
            yield engine.self_test
        finally:
            await engine.close()

    asyncio.run(serve("retriever", settings, SERVICES, retriever))


if __name__ == "__main__":
    with wrong_settings_told():
        main()
