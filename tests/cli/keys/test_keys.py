"""`vitrine key` and what clients of the gateway send, against a guarded server over TLS."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from cli.main import app
from cli.top.scrape import scraped
from gateway.auth.api_keys import KEY_START
from gateway.auth.guard import AuthGuard
from gateway.auth.settings import AuthSettings
from gateway.http_server import http_server
from gateway.settings import GatewaySettings
from tests.vitrine.certificates import Authority
from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, PermissionDenied, Unauthenticated, Unavailable
from vitrine.gateway_client import ClientSettings, open_gateway
from vitrine.guard import Door
from vitrine.tls import ServerTls
from vitrine.v1 import catalog_service_pb2, catalog_service_pb2_grpc, product_pb2


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["key", *arguments])


def created(file: Path, name: str, *scopes: str) -> str:
    result = run("create", "--name", name, "--file", str(file), *(f"--scope={scope}" for scope in scopes))
    assert result.exit_code == 0, result.output
    return str(result.stdout.strip())


def test_a_key_is_printed_once_and_kept_as_a_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "keys.json"
    key = created(file, "storefront", "search", "events", "search")
    assert key.startswith(KEY_START)
    assert len(key) > 60
    assert key.split("_", 2)[2] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    created(file, "office", "admin")
    assert file.stat().st_mode & 0o777 == 0o640
    [first, second] = json.loads(file.read_text())["keys"]
    assert (first["name"], first["scopes"], second["name"]) == ("storefront", ["search", "events"], "office")
    monkeypatch.setenv("VITRINE_AUTH_KEYS_FILE", str(file))
    listed = run("list").output
    assert "storefront" in listed
    assert first["sha256"] not in listed
    assert run("revoke", "storefront").exit_code == 0
    assert [each["name"] for each in json.loads(file.read_text())["keys"]] == ["office"]


def test_a_file_that_cannot_be_written_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys.json"
    created(file, "office", "admin")
    before = file.read_bytes()

    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    # As os.chown is for whoever is neither its owner nor root.
    monkeypatch.setattr(Path, "chmod", refused)
    result = run("revoke", "office", "--file", str(file))
    assert result.exit_code == 1
    assert "cannot be written for who it belongs to: Operation not permitted" in result.output
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("keys.json", before)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--name", "office", "--scope", "admin"], "'office' is taken"),
        (["create", "--name", "a b", "--scope", "admin"], "name: String should match pattern"),
        (["create", "--name", "ok", "--scope", "root"], "'root' is not one of"),
        (["create", "--name", "ok"], "Missing option '--scope'"),
        (["revoke", "nobody"], "has no key 'nobody'; it has: office"),
    ],
)
def test_a_wrong_wish_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    file = tmp_path / "keys.json"
    created(file, "office", "admin")
    before = file.read_bytes()
    result = run(*arguments, "--file", str(file))
    assert result.exit_code != 0
    assert said in result.output
    assert file.read_bytes() == before


class Shelf(catalog_service_pb2_grpc.CatalogServiceServicer):
    """Answers with one product."""

    async def GetProduct(self, request: Any, context: Any) -> Any:
        return catalog_service_pb2.GetProductResponse(product=product_pb2.Product(id=request.id))

    async def UpsertProducts(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        async for _ in request_iterator:
            yield catalog_service_pb2.CatalogServiceUpsertProductsResponse(revision=7)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def reader(keys_file: Path) -> str:
    return created(keys_file, "reader", "search")


@pytest.fixture
async def guarded(keys_file: Path, reader: str, tmp_path: Path, start_server: Any) -> AsyncIterator[tuple[Any, Path]]:
    """A catalogue behind a guard and mutual TLS, and the folder of the certificates."""
    authority = Authority(tmp_path)
    authority.issue("client")
    guard = AuthGuard(AuthSettings(keys_file=keys_file), GatewaySettings())

    def add(server: grpc.aio.Server) -> list[str]:
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(Shelf(), server)
        return ["vitrine.v1.CatalogService"]

    tls = ServerTls(authority.issue("server", hosts=["shop.example"]), authority.file)
    yield await start_server(add, door=Door(guard, tls)), tmp_path
    await guard.close()


def client(folder: Path, key: str) -> ClientSettings:
    return ClientSettings.model_validate(
        {
            "api_key": key,
            "ca": str(folder / "ca.pem"),
            "certificate": folder / "client.pem",
            "key": folder / "client.key",
            "server_name": "shop.example",
        }
    )


async def test_clients_send_their_key_over_tls_with_every_kind_of_call(
    guarded: Any, reader: str, keys_file: Path
) -> None:
    server, folder = guarded
    target, deadline = f"127.0.0.1:{server.port}", Deadline.after(30)
    request = catalog_service_pb2.GetProductRequest(id="p1")
    upsert = catalog_service_pb2.CatalogServiceUpsertProductsRequest()
    async with open_gateway(target, client(folder, reader)) as channel:
        stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        assert (await call(stub.GetProduct, request, deadline=deadline)).product.id == "p1"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [_ async for _ in stub.UpsertProducts(iter([upsert]), timeout=30)]
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    async with open_gateway(target, client(folder, reader + "x")) as channel:
        stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        with pytest.raises(Unauthenticated, match="not known"):
            await call(stub.GetProduct, request, deadline=deadline)
    (folder / "key.txt").write_text(reader + "\n")
    settings = client(folder, "").model_copy(update={"api_key_file": folder / "key.txt"})
    async with open_gateway(target, settings) as channel:
        stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        with pytest.raises(PermissionDenied, match="scope catalogue, and key:reader has search"):
            await call(stub.ListProductDigests, catalog_service_pb2.ListProductDigestsRequest(), deadline=deadline)


@pytest.mark.parametrize(
    ("target", "warned"),
    [("127.0.0.1:1", False), ("localhost:1", False), ("[::1]:1", False), ("unix:/a", False), ("dns:///shop:1", True)],
)
async def test_a_key_that_would_travel_in_the_clear_is_warned_of(
    target: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_gateway(target, ClientSettings.model_validate({"api_key": "vtr_secret"})):
        pass
    assert ("travels in the clear" in caplog.text) is warned
    assert "vtr_secret" not in caplog.text + repr(ClientSettings.model_validate({"api_key": "vtr_secret"}))


def test_a_key_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FailedPrecondition, match=r"none\.txt holds no API key"):
        open_gateway("127.0.0.1:1", ClientSettings(api_key_file=Path("none.txt")))


async def test_top_reads_metrics_of_a_gateway_that_asks_for_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def metrics(request: Request) -> Response:
        known = request.headers.get("authorization") == "Bearer vtr_office"
        return PlainTextResponse("vitrine_calls_in_flight 3\n" if known else "no", status_code=200 if known else 401)

    authority = Authority(tmp_path)
    tls = ServerTls(authority.issue("server"))
    application = Starlette(routes=[Route("/metrics", metrics)])
    async with http_server(application, GatewaySettings(http_port=0), tls) as port:
        address = f"https://127.0.0.1:{port}"
        monkeypatch.setenv("VITRINE_CLIENT_CA", str(authority.file))
        with pytest.raises(Unavailable, match="HTTP 401"):
            await scraped([address])
        monkeypatch.setenv("VITRINE_CLIENT_API_KEY", "vtr_office")
        [page] = await scraped([address])
    assert page.value("vitrine_calls_in_flight") == 3
