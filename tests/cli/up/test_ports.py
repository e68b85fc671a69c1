"""Ports that must be free."""

import socket

import pytest

from cli.up.ports import free_port, require_free_port
from services.ranker.settings import RankerSettings
from vitrine.errors import FailedPrecondition


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(FailedPrecondition, match=f"127.0.0.1:{port} .*set VITRINE_RANKER_PORT"):
            require_free_port(RankerSettings(port=port))


def test_a_free_port_passes() -> None:
    require_free_port(RankerSettings(port=free_port()))
