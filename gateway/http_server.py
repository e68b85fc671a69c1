"""An HTTP server beside the gRPC server of the same process, which alone listens to signals."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from gateway.settings import GatewaySettings
from vitrine.errors import FailedPrecondition
from vitrine.tls import ServerTls


class _HttpServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: the gRPC server of the same process stops both."""
        yield


@asynccontextmanager
async def http_server(
    application: Starlette, settings: GatewaySettings, tls: ServerTls | None = None
) -> AsyncIterator[int]:
    """Serves HTTP, drained on the way out; yields the port. Raises FailedPrecondition when it cannot be had."""
    context = tls.context() if tls else None
    address = (settings.host, settings.http_port)
    try:
        listener = socket.create_server(address)
    except OSError as error:
        raise FailedPrecondition(f"cannot listen on {address[0]}:{address[1]}: {error}; is it in use?") from error
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=max(round(settings.grace_s), 1),
    )
    config.load()
    # Uvicorn makes contexts of its own from files, which stay as they were when it started.
    config.ssl = context
    server = _HttpServer(config)
    serving = asyncio.create_task(server.serve([listener]), name="gateway HTTP")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
