"""A gateway that knows its callers, over gRPC and HTTP."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest

from gateway.auth.api_keys import add_key, new_key
from gateway.auth.guard import AuthGuard
from gateway.auth.scopes import Scope
from gateway.auth.settings import AuthSettings
from gateway.settings import GatewaySettings
from vitrine.guard import Door
from vitrine.server import Server
from vitrine.server_settings import ServerSettings

_MOST_CROSSED = 20


def make_key(path: Path, name: str, *scopes: Scope, **fields: Any) -> str:
    """A key, kept in the file as `vitrine key create` does."""
    text, kept = new_key(name, scopes, fields.pop("rate_per_s", None), fields.pop("expire_time", None))
    add_key(path, kept)
    return text


@dataclass
class GuardedShop:
    """A shop behind a guard: its files, a plain gRPC channel and an HTTP client."""

    keys_file: Path
    audit_file: Path
    guard: AuthGuard
    channel: grpc.aio.Channel
    http: httpx.AsyncClient

    def key(self, name: str, *scopes: Scope, **fields: Any) -> str:
        """A new key."""
        return make_key(self.keys_file, name, *scopes, **fields)

    def audited(self) -> list[dict[str, Any]]:
        """The audit log's lines."""
        return [json.loads(line) for line in self.audit_file.read_text().splitlines()]

    async def call(self, method: str, body: bytes = b"", key: str = "", **metadata: str) -> grpc.StatusCode:
        """The code that a call with this request ends with, sent as a stream where the method wants one."""
        return (await self.failure(method, body, key, **metadata))[0]

    async def failure(
        self, method: str, body: bytes = b"", key: str = "", **metadata: str
    ) -> tuple[grpc.StatusCode, str, dict[str, bytes]]:
        """Code, message and trailers of a call."""
        headers = [*metadata.items(), *([("x-api-key", key)] if key else [])]
        for _ in range(_MOST_CROSSED):
            call = self.channel.stream_stream(method)([body], metadata=headers, timeout=30)
            try:
                async for _ in call:
                    pass
            except grpc.aio.AioRpcError as error:
                # The write crossed a refusal, whose status is lost (grpc #36066): asked again.
                if error.details() != "Internal error from Core":
                    trailers: dict[str, bytes] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type]
                    return error.code(), error.details() or "", trailers
            else:
                return grpc.StatusCode.OK, "", {}
        raise AssertionError(f"{method} crossed its refusal {_MOST_CROSSED} times, so that its status was never told")


OpenGuarded = Callable[..., Awaitable[GuardedShop]]


@pytest.fixture
async def open_guarded(open_shop: Any, tmp_path: Path) -> AsyncIterator[OpenGuarded]:
    """Opens shops behind a guard; keywords are fields of AuthSettings, `shop` one that is there."""
    async with AsyncExitStack() as stack:

        async def opened(shop: Any = None, redis_url: str = "", **auth: Any) -> GuardedShop:
            shop = shop or await open_shop()
            keys_file, audit_file = tmp_path / "keys.json", tmp_path / "audit" / "log.jsonl"
            if not keys_file.exists():
                make_key(keys_file, "unused", Scope.SEARCH)
            settings = AuthSettings.model_validate({"keys_file": keys_file, "audit_file": audit_file} | auth)
            guard = AuthGuard(settings, GatewaySettings(redis_url=redis_url))
            stack.push_async_callback(guard.close)
            gateway = shop.gateway
            server = await Server.start("gateway", ServerSettings(), gateway.add_to, gateway.self_test, Door(guard))
            stack.push_async_callback(server.stop, 0)
            await server.serving()
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{server.port}"))
            port = await stack.enter_async_context(gateway.http(guard))
            http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
            await stack.enter_async_context(http)
            return GuardedShop(keys_file, audit_file, guard, channel, http)

        yield opened
