"""The standard health service, for any number of watchers.

grpc_health's own servicer forgets all watchers of a service when one of them leaves, so that the others go on calling a
server that is not serving; and its watches hold up a graceful stop until the grace is over.
"""

import asyncio
from collections.abc import AsyncIterator

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from vitrine.call import Context

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# A service by this name is SERVING as long as the process answers, whatever its self-test says: who restarts what hangs
# asks for it, since a restart mends no part that is away.
LIVE = "live"


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """One state for all services in `names`, NOT_SERVING at first; "" is the whole server. `LIVE` is beside them."""

    def __init__(self) -> None:
        self.names = {""}
        self._status = NOT_SERVING
        self._ended = False
        self._changed = asyncio.Event()

    def set(self, serving: bool) -> None:
        """Tells the state to who asks and to who watches; without effect after `end`."""
        status = SERVING if serving else NOT_SERVING
        if status != self._status and not self._ended:
            self._status = status
            self._changed.set()
            self._changed = asyncio.Event()

    def end(self) -> None:
        """NOT_SERVING for good; watches are told and ended."""
        self._ended = True
        self._status = NOT_SERVING
        self._changed.set()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        """The state now. Errors: NOT_FOUND."""
        if request.service == LIVE:
            return health_pb2.HealthCheckResponse(status=SERVING)
        if request.service not in self.names:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return health_pb2.HealthCheckResponse(status=self._status)

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The state now and each later one, until the watcher leaves or the server stops."""
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        while True:
            changed = self._changed
            status = self._status if request.service in self.names else unknown
            yield health_pb2.HealthCheckResponse(status=status)
            if self._ended:
                return
            await changed.wait()
