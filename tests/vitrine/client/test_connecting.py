"""Keys, tokens and certificates: what is wrong is said with what to do, and is not tried again."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.auth.api_keys import add_key, new_key
from gateway.auth.guard import AuthGuard
from gateway.auth.scopes import Scope
from gateway.auth.settings import AuthSettings
from gateway.settings import GatewaySettings
from tests.vitrine.certificates import Authority
from tests.vitrine.client.conftest import Searching
from vitrine.client import (
    Client,
    ClientTls,
    FailedPrecondition,
    PermissionDenied,
    Product,
    Unauthenticated,
    Unavailable,
)
from vitrine.guard import OPEN, Door

Open = Callable[..., Awaitable[Client]]
Serve = Callable[..., Awaitable[Searching]]


async def found(request: Any, context: Any) -> None:
    """Answers."""


class Place:
    """A folder with two authorities, of which the gateway has its certificate from the first."""

    def __init__(self, folder: Path) -> None:
        (folder / "other").mkdir()
        self.ours, self.other = Authority(folder), Authority(folder / "other")

    def door(self, kind: str) -> Door:
        """How the gateway is reached."""
        doors: dict[str, Callable[[], Door]] = {
            "clear": lambda: OPEN,
            "tls": lambda: Door(tls=self.ours.server(mutual=False)),
            "mutual": lambda: Door(tls=self.ours.server()),
            "named": lambda: Door(tls=self.ours.server(mutual=False, hosts=["shop.example"])),
            "expired": lambda: Door(tls=self.ours.server(mutual=False, not_after=datetime(2020, 1, 1, tzinfo=UTC))),
        }
        return doors[kind]()

    def tls(self, kind: str) -> ClientTls | None:
        """What the client trusts and shows."""
        ways: dict[str, Callable[[], ClientTls | None]] = {
            "none": lambda: None,
            "ours": lambda: self.ours.client(None),
            "ours, with a certificate": lambda: self.ours.client(),
            "ours, with another's certificate": lambda: ClientTls(self.ours.file, self.other.issue("client")),
            "other": lambda: self.other.client(None),
            "public": ClientTls,
        }
        return ways[kind]()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("door", "tls", "kind", "said"),
    [
        ("tls", "none", Unavailable, r"closed the connection: if it speaks TLS, give tls \(VITRINE_CLIENT_CA\)"),
        ("clear", "ours", FailedPrecondition, "does not speak TLS, and this client does; give no tls"),
        ("tls", "other", FailedPrecondition, r"is not vouched for by .*ca\.pem; give the file of its authority as ca"),
        ("tls", "public", FailedPrecondition, "is not vouched for by the public authorities; give the file"),
        ("named", "ours", FailedPrecondition, "is not for the name 127.0.0.1:.* as server_name of tls"),
        ("expired", "ours", FailedPrecondition, "has expired; whoever runs the gateway renews it"),
        ("mutual", "ours", Unavailable, "if it asks for a certificate, give one as identity of tls"),
        ("mutual", "ours, with another's certificate", Unavailable, r"may not trust .*client\.pem"),
    ],
)
async def test_a_connection_that_fails_says_what_to_do(
    serve_search: Serve, client_of: Open, place: Place, door: str, tls: str, kind: type[Exception], said: str
) -> None:
    server = await serve_search(found, place.door(door))
    client = await client_of(server.target, tls=place.tls(tls))
    with pytest.raises(kind, match=said):
        await client.search("watch")
    # A stream says the same, and does not go on trying where no attempt helps.
    if kind is FailedPrecondition:
        with pytest.raises(kind, match=said):
            [_ async for _ in client.catalog.upsert([Product(id="p", title="Watch")])]


@pytest.mark.parametrize(("door", "tls"), [("clear", "none"), ("tls", "ours"), ("mutual", "ours, with a certificate")])
async def test_a_connection_that_is_right_answers(
    serve_search: Serve, client_of: Open, place: Place, door: str, tls: str
) -> None:
    server = await serve_search(found, place.door(door))
    client = await client_of(server.target, tls=place.tls(tls))
    assert (await client.search("watch")).attribution_token == "found"


async def test_a_gateway_that_is_not_there_is_named(client_of: Open, free_port: int) -> None:
    client = await client_of(f"127.0.0.1:{free_port}")
    with pytest.raises(Unavailable, match=f"nobody listens at 127.0.0.1:{free_port}; is the gateway up"):
        await client.search("watch")


class Guarded:
    """A gateway that asks for keys, two of which it knows."""

    def __init__(self, target: str, search: str, events: str) -> None:
        self.target = target
        self.search = search
        self.events = events


@pytest.fixture
async def guarded(serve_search: Serve, tmp_path: Path) -> AsyncIterator[Guarded]:
    file = tmp_path / "keys.json"
    search, events = added(file, Scope.SEARCH), added(file, Scope.EVENTS)
    guard = AuthGuard(AuthSettings(keys_file=file), GatewaySettings())
    server = await serve_search(found, Door(guard))
    yield Guarded(server.target, search, events)
    await guard.close()


def added(file: Path, scope: Scope) -> str:
    """A key of this scope."""
    text, key = new_key(scope.value, (scope,), None, None)
    add_key(file, key)
    return text


async def test_a_key_that_is_wrong_says_what_to_do(guarded: Guarded, client_of: Open) -> None:
    with pytest.raises(Unauthenticated, match=r"needs a key .* or VITRINE_CLIENT_API_KEY") as missing:
        await (await client_of(guarded.target)).search("watch")
    assert missing.value.reason == "CREDENTIALS_MISSING"
    assert missing.value.metadata["scope"] == "search"
    with pytest.raises(Unauthenticated, match="not known here"):
        await (await client_of(guarded.target, api_key=guarded.search + "x")).search("watch")
    with pytest.raises(PermissionDenied, match="needs the scope search, and key:events has events"):
        await (await client_of(guarded.target, api_key=guarded.events)).search("watch")
    with pytest.raises(FailedPrecondition, match="give the key alone, without 'Bearer'"):
        Client(guarded.target, api_key=f"Bearer {guarded.search}")
    assert (await (await client_of(guarded.target, api_key=guarded.search)).search("watch")).attribution_token


async def test_a_token_is_asked_for_at_each_call(guarded: Guarded, client_of: Open) -> None:
    tokens = [guarded.search, guarded.search + "x", guarded.search]
    client = await client_of(guarded.target, api_key=lambda: tokens.pop(0))
    await client.search("watch")
    with pytest.raises(Unauthenticated):
        await client.search("watch")
    await client.search("watch")
    assert not tokens


async def test_a_key_file_that_is_renewed_is_used_from_then_on(
    guarded: Guarded, client_of: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.txt"
    file.write_text("vtr_old\n")
    monkeypatch.setenv("VITRINE_CLIENT_API_KEY_FILE", str(file))
    monkeypatch.setattr("vitrine.followed_file._LOOK_EVERY_S", 0)
    client = await client_of(guarded.target)
    with pytest.raises(Unauthenticated):
        await client.search("watch")
    file.with_suffix(".new").write_text(guarded.search)
    os.replace(file.with_suffix(".new"), file)
    assert (await client.search("watch")).attribution_token == "found"


@pytest.mark.parametrize(
    ("target", "is_warned"),
    [("127.0.0.1:1", False), ("localhost:1", False), ("[::1]:1", False), ("unix:/a", False), ("dns:///shop:1", True)],
)
def test_a_key_that_would_travel_in_the_clear_is_warned_of(
    target: str, is_warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    Client(target, api_key="vtr_secret")
    assert ("travels in the clear" in caplog.text) is is_warned
    assert "vtr_secret" not in caplog.text


async def test_a_file_that_is_not_there_is_named(client_of: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailedPrecondition, match=r"none\.pem holds no certificates"):
        await client_of("shop:1", tls=ClientTls(Path("none.pem")))
    monkeypatch.setenv("VITRINE_CLIENT_API_KEY_FILE", "none.txt")
    with pytest.raises(FailedPrecondition, match=r"none\.txt holds no API key"):
        Client("shop:1")
