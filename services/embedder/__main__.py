"""`python -m services.embedder`: serves the EmbedderService until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.embedder.engines import EmbedderEngines
from services.embedder.servicer import EmbedderServicer
from services.embedder.settings import EmbedderSettings
from vitrine.compute import ComputeBudget
from vitrine.garbage import keep_what_is_there
from vitrine.server import SelfTest, Server, serve
from vitrine.v1 import embedder_service_pb2, embedder_service_pb2_grpc
from vitrine.wrong_settings import wrong_settings_told

SERVICES = (embedder_service_pb2.DESCRIPTOR.services_by_name["EmbedderService"].full_name,)


def main() -> None:
    """Settings, engine, servicer, serve."""
    settings = EmbedderSettings()

    @asynccontextmanager
    async def embedder(server: Server) -> AsyncIterator[SelfTest]:
        budget = ComputeBudget()
        try:
            engine = await EmbedderEngines.open(settings, budget)
            keep_what_is_there()
            servicer = EmbedderServicer(engine, settings.default_timeout_s)
            embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(servicer, server.grpc)
            try:
                yield engine.self_test
            finally:
                await engine.close()
        finally:
            await budget.close()

    asyncio.run(serve("embedder", settings, SERVICES, embedder))


if __name__ == "__main__":
    with wrong_settings_told():
        main()
