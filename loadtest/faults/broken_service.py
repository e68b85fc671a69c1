"""`python -m loadtest.faults.broken_service HOST PORT`: says that it serves, and fails every call at once.

As a replica does whose accelerator died: it is the quickest of all to answer. Its server is as ours are: one that
allows fewer pings has a channel ping all replicas half as often from then on, and hanging ones are found too late.
"""

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from vitrine.call import Context
from vitrine.health import HealthServicer
from vitrine.server import server_options
from vitrine.server_settings import ServerSettings


class _Broken(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # it takes none when it runs
    def service(self, handler_call_details: Any) -> Any:
        """A handler for any method; health is served by another."""
        if handler_call_details.method.startswith("/grpc.health."):
            return None
        return grpc.unary_unary_rpc_method_handler(_fail)


async def _fail(_request: bytes, context: Context) -> bytes:
    await context.abort(grpc.StatusCode.INTERNAL, "broken on purpose")
    raise AssertionError


async def main(host: str, port: str) -> None:
    """Serves until it is killed."""
    server = grpc.aio.server(options=server_options(ServerSettings()))
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_generic_rpc_handlers((_Broken(),))
    server.add_insecure_port(f"{host}:{port}")
    await server.start()
    health.set(True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
