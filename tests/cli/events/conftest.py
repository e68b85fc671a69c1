"""A real event store behind a real gateway, for import and export."""

import pytest

from gateway.serving import Gateway
from tests.gateway.events.conftest import (  # noqa: F401
    StoreServer,
    events_settings,
    gateway,
    raw,
    store,
    store_server,
)


@pytest.fixture
async def target(gateway: Gateway, start_server: object) -> str:  # noqa: F811
    """The gateway's gRPC target."""
    return f"127.0.0.1:{(await start_server(gateway.add_to)).port}"  # type: ignore[operator]
