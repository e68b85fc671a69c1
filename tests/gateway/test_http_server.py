"""HTTPS: certificates that change while requests run, and callers who must show one."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.http_server import http_server
from gateway.settings import GatewaySettings
from tests.vitrine.certificates import Authority
from vitrine.errors import FailedPrecondition
from vitrine.tls import Identity, ServerTls, TlsSettings


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def served(stack: AsyncExitStack, tls: ServerTls) -> str:
    application = Starlette(routes=[Route("/", _hello)])
    port = await stack.enter_async_context(http_server(application, GatewaySettings(http_port=0), tls))
    return f"https://127.0.0.1:{port}"


async def client(stack: AsyncExitStack, trusted: Authority, shown: Identity | None = None) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=str(trusted.file))
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    return await stack.enter_async_context(httpx.AsyncClient(verify=context, trust_env=False))


async def test_a_new_certificate_is_shown_without_closing_what_is_open(stack: AsyncExitStack, tmp_path: Path) -> None:
    before, after = Authority(tmp_path, "before"), Authority(tmp_path, "after")
    url = await served(stack, ServerTls(before.issue("server")))
    old = await client(stack, before)
    assert (await old.get(url)).text == "hello"
    after.issue("server")
    # On its open connection, whose handshake was long ago; a new one finds the other certificate.
    assert (await old.get(url)).text == "hello"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await (await client(stack, before)).get(url)
    assert (await (await client(stack, after)).get(url)).text == "hello"


async def test_callers_must_show_a_certificate_where_authorities_are_set(stack: AsyncExitStack, tmp_path: Path) -> None:
    ours, foreign = Authority(tmp_path, "ours"), Authority(tmp_path, "foreign")
    trusted = tmp_path / "callers.pem"
    trusted.write_bytes(ours.file.read_bytes())
    url = await served(stack, ServerTls(ours.issue("server"), trusted))
    caller, stranger = ours.issue("caller"), foreign.issue("stranger")
    assert (await (await client(stack, ours, caller)).get(url)).text == "hello"
    for shown in (None, stranger, ours.expired("late")):
        with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
            await (await client(stack, ours, shown)).get(url)
    # Other authorities from now on.
    trusted.write_bytes(foreign.file.read_bytes())
    assert (await (await client(stack, ours, stranger)).get(url)).text == "hello"
    with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
        await (await client(stack, ours, caller)).get(url)


def test_the_gateway_shows_its_own_certificate_or_the_suites(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, suite = authority.issue("own"), authority.issue("suite")
    everywhere = TlsSettings(certificate=suite.certificate, key=suite.key, ca=authority.file)
    # Who calls the gateway needs no certificate of the suite.
    assert GatewaySettings().tls(everywhere) == ServerTls(suite)
    named = GatewaySettings(tls_certificate=own.certificate, tls_key=own.key, tls_client_ca=authority.file)
    assert named.tls(everywhere) == ServerTls(own, authority.file)
    assert GatewaySettings().tls(TlsSettings()) is None
    for half in ({"tls_key": own.key}, {"tls_client_ca": authority.file}):
        with pytest.raises(FailedPrecondition, match="VITRINE_GATEWAY_TLS_"):
            GatewaySettings.model_validate(half).tls(TlsSettings())
