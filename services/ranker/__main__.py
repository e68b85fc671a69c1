"""`python -m services.ranker`: serves the RankerService until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ranker.engines import RankerEngines
from services.ranker.servicer import RankerServicer
from services.ranker.settings import RankerSettings
from vitrine.compute import ComputeBudget
from vitrine.garbage import keep_what_is_there
from vitrine.server import SelfTest, Server, serve
from vitrine.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from vitrine.wrong_settings import wrong_settings_told

SERVICES = (ranker_service_pb2.DESCRIPTOR.services_by_name["RankerService"].full_name,)


def main() -> None:
    """Settings, engine, servicer, serve."""
    settings = RankerSettings()

    @asynccontextmanager
    async def ranker(server: Server) -> AsyncIterator[SelfTest]:
        budget = ComputeBudget()
        try:
            engine = await RankerEngines.open(settings, budget)
            keep_what_is_there()
            servicer = RankerServicer(engine, settings.default_timeout_s)
            ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(servicer, server.grpc)
            try:
                yield engine.self_test
            finally:
                await engine.close()
        finally:
            await budget.close()

    asyncio.run(serve("ranker", settings, SERVICES, ranker))


if __name__ == "__main__":
    with wrong_settings_told():
        main()
