"""TLS and mutual TLS over real sockets: who is let in, and certificates that change while calls run."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import REGISTRY

from tests.vitrine.certificates import Authority
from vitrine import health_probe
from vitrine.channel import ChannelSettings, call, open_channel
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.guard import Door
from vitrine.renewed_channel import RenewedChannel
from vitrine.server import Server
from vitrine.tls import ClientTls, Identity, ServerTls, TlsSettings, client_tls, service_tls
from vitrine.v1 import embedder_service_pb2, embedder_service_pb2_grpc

# Who is refused at the handshake is not refused again and again.
_ONCE = ChannelSettings(retry_attempts=1)

Serve = Callable[[ServerTls], Awaitable[Server]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def serve(serve_embed: Any) -> Serve:
    """Starts servers of EmbedderService that answer over TLS."""

    async def started(tls: ServerTls) -> Server:
        server: Server = await serve_embed(door=Door(tls=tls))
        return server

    return started


async def embedded(channel: Any, text: str = "red", timeout_s: float = 10) -> str:
    stub = embedder_service_pb2_grpc.EmbedderServiceStub(channel)
    request = embedder_service_pb2.EmbedRequest(texts=[text])
    answer = await call(stub.Embed, request, deadline=Deadline.after(timeout_s))
    return str(answer.prompt)


async def asked(server: Server, tls: ClientTls | None, host: str = "127.0.0.1") -> str:
    async with open_channel(f"{host}:{server.port}", _ONCE, tls=tls) as channel:
        return await embedded(channel)


@pytest.mark.parametrize("mutual", [False, True])
async def test_a_call_over_tls(serve: Serve, authority: Authority, mutual: bool) -> None:
    server = await serve(authority.server(mutual=mutual))
    assert await asked(server, authority.client()) == "red"
    assert await asked(server, authority.client(), host="localhost") == "red"


async def test_who_shows_no_certificate_of_ours_is_refused(serve: Serve, authority: Authority, tmp_path: Path) -> None:
    server = await serve(authority.server())
    foreign = Authority(tmp_path, "foreign")
    strangers = {
        "plain": None,
        "no certificate": authority.client(None),
        "of another authority": ClientTls(authority.file, foreign.issue("stranger")),
        "expired": ClientTls(authority.file, authority.expired("expired")),
    }
    for who, tls in strangers.items():
        with pytest.raises(Unavailable):
            pytest.fail(f"{who} was let in: {await asked(server, tls)}")
    assert await asked(server, authority.client()) == "red"


@pytest.mark.parametrize("wrong", ["other authority", "expired", "other name"])
async def test_a_server_that_is_not_who_it_should_be_gets_no_call(
    serve: Serve, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    served = {
        "other authority": lambda: Authority(tmp_path, "foreign").server(mutual=False),
        "expired": lambda: ServerTls(authority.expired("expired")),
        "other name": lambda: authority.server(mutual=False, hosts=("elsewhere",)),
    }[wrong]()
    server = await serve(served)
    with pytest.raises(Unavailable):
        await asked(server, authority.client())
    if wrong == "other name":
        assert await asked(server, ClientTls(authority.file, server_name="elsewhere")) == "red"


async def test_certificates_change_under_a_running_stream(serve: Serve, tmp_path: Path) -> None:
    before, after = Authority(tmp_path, "before"), Authority(tmp_path, "after")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(before.file.read_bytes())
    server = await serve(ServerTls(before.issue("server"), trusted))
    mine = ClientTls(trusted, before.issue("client"))
    async with open_channel(f"127.0.0.1:{server.port}", _ONCE, tls=mine) as channel:
        assert isinstance(channel, RenewedChannel)
        first = channel.current()
        stream = embedder_service_pb2_grpc.EmbedderServiceStub(channel).EmbedStream()

        async def echoed(text: str) -> str:
            request = embedder_service_pb2.EmbedRequest(texts=[text])
            await stream.write(embedder_service_pb2.EmbedStreamRequest(request=request))
            return str((await stream.read()).response.prompt)

        assert await echoed("one") == "one"
        # Half a renewal: the certificate is new and its key is not. What was there goes on.
        key = (tmp_path / "server.key").read_bytes()
        after.issue("server")
        renewed_key = (tmp_path / "server.key").read_bytes()
        (tmp_path / "server.key").write_bytes(key)
        assert await asked(server, mine) == "red"
        # The whole renewal, with another authority, on both sides.
        (tmp_path / "server.key").write_bytes(renewed_key)
        after.issue("client")
        trusted.write_bytes(after.file.read_bytes())
        fresh = ClientTls(after.file, Identity(tmp_path / "client.pem", tmp_path / "client.key"))
        assert await asked(server, fresh) == "red"
        with pytest.raises(Unavailable):
            await asked(server, ClientTls(before.file, before.issue("late")))
        # The stream is the one from before, and a new call of its channel comes with the new certificate.
        assert await echoed("two") == "two"
        async with asyncio.timeout(20):
            while channel.current() is first:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await embedded(channel, "blue") == "blue"
        assert await echoed("three") == "three"
        stream.cancel()


async def test_health_answers_over_tls_too(serve: Serve, authority: Authority) -> None:
    server = await serve(authority.server())
    async with open_channel(f"127.0.0.1:{server.port}", tls=authority.client()) as channel:
        reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_health_probe_speaks_tls_under_the_certificates_name(
    serve: Serve, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(authority.server(hosts=("embedder",)))
    mine = authority.issue("client")
    monkeypatch.setenv("VITRINE_TLS_CA", str(authority.file))
    monkeypatch.setenv("VITRINE_TLS_CERTIFICATE", str(mine.certificate))
    monkeypatch.setenv("VITRINE_TLS_KEY", str(mine.key))
    foreign = Authority(tmp_path, "foreign")
    for arguments, status in (
        (["--name", "embedder"], 0),
        (["--name", "ranker"], 1),
        (["--ca", str(foreign.file), "--name", "embedder"], 1),
        (["--ca", str(tmp_path / "none.pem")], 1),
    ):
        monkeypatch.setattr("sys.argv", ["health_probe", f"127.0.0.1:{server.port}", *arguments])
        assert await asyncio.to_thread(health_probe.main) == status


def test_when_a_certificate_ends_is_shown(authority: Authority) -> None:
    ends = datetime(2031, 5, 1, tzinfo=UTC)
    ServerTls(authority.issue("server", not_after=ends)).credentials()
    assert (
        REGISTRY.get_sample_value("vitrine_certificate_expires_timestamp_seconds", {"use": "server"})
        == ends.timestamp()
    )


async def test_reflection_can_be_switched_off(serve_embed: Any) -> None:
    for reflection, expected in ((True, grpc.StatusCode.OK), (False, grpc.StatusCode.UNIMPLEMENTED)):
        server = await serve_embed(reflection=reflection)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            # Nothing is written where the server refuses: a write that crosses its end hides its status (grpc #36066).
            requests = iter([request]) if reflection else None
            asked = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(requests, timeout=30)
            with nullcontext() if expected is grpc.StatusCode.OK else pytest.raises(grpc.aio.AioRpcError):
                assert [reply async for reply in asked]
            assert await asked.code() is expected


def test_files_that_are_wrong_are_named(authority: Authority, tmp_path: Path) -> None:
    good = authority.issue("good")
    other = authority.issue("other")
    (tmp_path / "text").write_text("no certificate")
    wrong = [
        (
            ServerTls(Identity(good.certificate, other.key)),
            "good.pem and .*other.key are not a certificate and its key",
        ),
        (ServerTls(Identity(tmp_path / "none", good.key)), "none or .* cannot be read"),
        (ServerTls(good, tmp_path / "text"), "text holds no certificates"),
        (ClientTls(tmp_path / "none"), "none holds no certificates"),
    ]
    for tls, said in wrong:
        with pytest.raises(FailedPrecondition, match=said):
            tls.credentials()
    with pytest.raises(FailedPrecondition, match="set VITRINE_TLS_KEY too"):
        service_tls(TlsSettings(certificate=good.certificate))
    with pytest.raises(FailedPrecondition, match="needs VITRINE_TLS_CERTIFICATE"):
        service_tls(TlsSettings(ca=authority.file))
    assert service_tls(TlsSettings()) is None
    assert client_tls(TlsSettings()) is None
