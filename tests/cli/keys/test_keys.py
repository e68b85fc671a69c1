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
from vitrine.client import Client
from vitrine.errors import PermissionDenied, Unavailable
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


@pytest.mark.parametrize("as_file", [True, False])
async def test_commands_send_their_key_over_tls(
    guarded: Any, reader: str, as_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, folder = guarded
    (folder / "key.txt").write_text(reader + "\n")
    shown = {"API_KEY_FILE": str(folder / "key.txt")} if as_file else {"API_KEY": reader}
    settings = shown | {
        "CA": str(folder / "ca.pem"),
        "CERTIFICATE": str(folder / "client.pem"),
        "KEY": str(folder / "client.key"),
        "SERVER_NAME": "shop.example",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"VITRINE_CLIENT_{name}", value)
    async with Client(f"127.0.0.1:{server.port}") as client:
        assert (await client.catalog.get("p1")).id == "p1"
        with pytest.raises(PermissionDenied, match="scope catalogue, and key:reader has search"):
            [_ async for _ in client.catalog.digests()]
        with pytest.raises(PermissionDenied, match="scope catalogue, and key:reader has search"):
            [_ async for _ in client.catalog.upsert([product_pb2.Product(id="p2", title="Watch")])]


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
