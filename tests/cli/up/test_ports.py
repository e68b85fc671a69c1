"""Ports that must be free."""

import os
import socket

import pytest

from cli.up.ports import free_port, require_free_port, with_ports
from gateway.settings import GatewaySettings
from services.ranker.settings import RankerSettings
from vitrine.errors import FailedPrecondition


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(FailedPrecondition, match=f"127.0.0.1:{port} .*set VITRINE_RANKER_PORT"):
            require_free_port(RankerSettings(port=port))


def test_a_free_port_passes() -> None:
    require_free_port(RankerSettings(port=free_port()))


def test_where_any_port_will_do_all_that_is_started_and_said_is_of_one_that_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PORT", "HTTP_PORT"):
        monkeypatch.setenv(f"VITRINE_GATEWAY_{name}", "0")
    given = with_ports(GatewaySettings())
    assert 0 not in (given.port, given.http_port)
    assert given == GatewaySettings()
    chosen = with_ports(GatewaySettings(port=50_099))
    assert (chosen.port, chosen.http_port) == (50_099, given.http_port)
    assert os.environ["VITRINE_GATEWAY_PORT"] == str(given.port)
