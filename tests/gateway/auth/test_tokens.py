"""Signed tokens: what is forged, late or meant for another is refused, and keys change and go away."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import jwks
from gateway.auth.jwks import key_source
from gateway.auth.scopes import Scope
from gateway.auth.settings import AuthSettings
from gateway.auth.tokens import Tokens
from gateway.http_server import http_server
from gateway.settings import GatewaySettings
from vitrine.errors import FailedPrecondition, Unauthenticated, Unavailable

ISSUER, AUDIENCE = "https://id.example", "vitrine"


class Provider:
    """An identity provider with one key at a time."""

    def __init__(self, kid: str = "one") -> None:
        self.kid = kid
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key."""
        return {**jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": self.kid}

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token; claims of None are left out."""
        now = time.time()
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now + 60, "scope": "search events openid"}
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(said, self.key, "ES256", headers={"kid": self.kid} if headers is None else headers)


def write(path: Path, *jwk: dict[str, Any]) -> None:
    path.write_text(json.dumps({"keys": jwk}))


def settings(place: object, **changes: Any) -> AuthSettings:
    said = {"jwks": str(place), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE} | changes
    return AuthSettings.model_validate(said)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def file(tmp_path: Path, provider: Provider) -> Path:
    path = tmp_path / "jwks.json"
    write(path, provider.jwk)
    return path


async def test_a_token_tells_who_calls_and_what_is_allowed(file: Path, provider: Provider) -> None:
    tokens = Tokens(settings(file, rate_per_s=5))
    principal = await tokens.principal_of(provider.token())
    assert (principal.name, principal.scopes) == ("token:alice", {Scope.SEARCH, Scope.EVENTS})
    assert principal.rate is not None
    listed = await tokens.principal_of(provider.token(scope=["admin", 5, "root"]))
    assert listed.scopes == {Scope.ADMIN}
    assert (await tokens.principal_of(provider.token(scope=None))).scopes == set()
    # The only key is that of tokens without kid; clocks may be apart.
    assert await tokens.principal_of(provider.token(headers={}, exp=time.time() - 5, nbf=time.time() + 5))


def encoded(part: dict[str, Any]) -> str:
    """A token's header or claims."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def unsigned(token: str, **header: Any) -> str:
    """The token's claims under another header, without a signature."""
    return f"{encoded(header)}.{token.split('.')[1]}."


def signed_by_public_key(provider: Provider) -> str:
    """An HMAC with the public key as its secret, which a careless verifier takes for the provider's."""
    pem = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = unsigned(provider.token(), alg="HS256", typ="JWT", kid=provider.kid).rstrip(".")
    signature = hmac.new(pem, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def test_what_is_not_a_good_token_is_refused(file: Path, provider: Provider) -> None:
    other, now = Provider(), time.time()
    good = provider.token()
    head, body, signature = good.split(".")
    rsa_key = rsa.generate_private_key(65_537, 2_048)
    pem = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    claims = jwt.decode(good, options={"verify_signature": False})
    wrong = {
        "another algorithm": [
            unsigned(good, alg="none"),
            unsigned(good, alg="None", kid="one"),
            signed_by_public_key(provider),
            jwt.encode(claims, "a secret of thirty-two characters", "HS256", headers={"kid": "one"}),
            jwt.encode(claims, rsa_key, "PS256", headers={"kid": "one"}),
        ],
        "not signed rightly": [
            other.token(),
            f"{head}.{encoded({**claims, 'scope': 'admin'})}.{signature}",
            f"{head}.{body}.",
            jwt.encode(claims, pem, "RS256", headers={"kid": "one"}),
        ],
        "key that is not known": [Provider("two").token()],
        "another audience": [provider.token(aud="another"), provider.token(aud=["a", "b"])],
        "another issuer": [provider.token(iss="https://evil.example")],
        "not valid yet": [provider.token(nbf=now + 600)],
        "has expired": [provider.token(exp=now - 600)],
        "must have the claims": [provider.token(exp=None), provider.token(aud=None), provider.token(sub=None)],
        "is not a name": [provider.token(sub="a\nb"), provider.token(sub="a" * 200), provider.token(sub="")],
        "neither a key nor a token": ["", "a.b", "a.b.c", "é"],
        "more than 8192 characters": ["a" * 9_000],
    }
    tokens = Tokens(settings(file))
    for said, sent in wrong.items():
        for token in sent:
            with pytest.raises(Unauthenticated, match=said) as caught:
                await tokens.principal_of(token)
            assert len(token) < 5 or token not in caught.value.message
    assert (await tokens.principal_of(good)).name == "token:alice"


async def test_a_token_that_was_kept_expires_all_the_same(
    file: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, token = Tokens(settings(file, jwt_leeway_s=0)), provider.token()
    assert await tokens.principal_of(token) is await tokens.principal_of(token)
    late_s = time.time() + 61
    monkeypatch.setattr("gateway.auth.tokens.time.time", lambda: late_s)
    with pytest.raises(Unauthenticated, match="expired"):
        await tokens.principal_of(token)


async def test_keys_in_a_file_change_and_a_bad_file_changes_nothing(
    file: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitrine.followed_file._LOOK_EVERY_S", 0.0)
    tokens, old = Tokens(settings(file)), provider.token()
    await tokens.principal_of(old)
    for bad in ("{", "[]", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]}'):
        file.write_text(bad)  # noqa: ASYNC240
        assert (await tokens.principal_of(old)).name == "token:alice"
    new = Provider("two")
    write(file, new.jwk)
    assert (await tokens.principal_of(new.token())).name == "token:alice"
    # One that was kept from before is of a key that is no longer trusted.
    with pytest.raises(Unauthenticated, match="not known"):
        await tokens.principal_of(old)


class KeyServer:
    """Serves a JWKS at a URL, or what a test puts in its place."""

    def __init__(self, *jwk: dict[str, Any]) -> None:
        self.jwk = list(jwk)
        self.status = 200
        self.asked = 0
        self.url = ""

    async def answer(self, _request: Request) -> Response:
        self.asked += 1
        return Response(json.dumps({"keys": self.jwk}), status_code=self.status, media_type="application/json")


@pytest.fixture
async def key_server(provider: Provider) -> AsyncIterator[KeyServer]:
    served = KeyServer(provider.jwk)
    application = Starlette(routes=[Route("/jwks", served.answer)])
    async with http_server(application, GatewaySettings(http_port=0)) as port:
        served.url = f"http://127.0.0.1:{port}/jwks"
        yield served


async def test_keys_at_a_url_are_kept_turned_over_and_outlive_their_server(
    key_server: KeyServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = Tokens(settings(key_server.url))
    for _ in range(3):
        await tokens.principal_of(provider.token())
    assert key_server.asked == 1
    new = Provider("two")
    key_server.jwk.append(new.jwk)
    # Asked again for a kid that is not known, but not for each.
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="not known"):
            await tokens.principal_of(new.token())
    assert key_server.asked == 1
    monkeypatch.setattr(jwks, "_LEAST_PAUSE_S", 0.0)
    assert (await tokens.principal_of(new.token())).name == "token:alice"
    assert key_server.asked == 2
    key_server.status = 500
    with pytest.raises(Unauthenticated, match="not known"):
        await tokens.principal_of(Provider("three").token())
    for one in (provider, new):
        assert (await tokens.principal_of(one.token())).name == "token:alice"
    await tokens.close()


async def test_keys_that_were_never_had_open_nothing(key_server: KeyServer, provider: Provider) -> None:
    key_server.status = 404
    tokens = Tokens(settings(key_server.url))
    with pytest.raises(Unavailable, match="keys are away"):
        await tokens.principal_of(provider.token())
    await tokens.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"jwks": "http://id.example/jwks"},
        {"jwks": "file:///etc/jwks"},
        {"jwks": "nowhere.json"},
        {"jwks": "https://who:word@id.example/jwks"},
        {"jwks": "http://who:word@id.example/jwks"},
        {"jwks": "https://:word@[id.example/jwks"},
        {"jwt_issuer": ""},
        {"jwt_audience": ""},
    ],
)
def test_settings_that_would_open_a_door_are_refused(file: Path, changes: dict[str, str]) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        Tokens(settings(file).model_copy(update=changes))
    assert "word" not in caught.value.message.replace("password", "")


@pytest.mark.parametrize("algorithms", ["none", "HS256", "RS256,HS512", ""])
def test_only_public_keys_sign(algorithms: str) -> None:
    with pytest.raises(ValueError, match="is not of"):
        settings("jwks.json", jwt_algorithms=algorithms)


async def test_a_token_opens_the_gateway_as_far_as_its_scopes(
    open_guarded: Any, file: Path, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    shop = await open_guarded(jwks=str(file), jwt_issuer=ISSUER, jwt_audience=AUDIENCE)
    token = provider.token(scope="search")
    headers = {"Authorization": f"Bearer {token}"}
    reply = await shop.http.post("/recommend", json={"query": "watch"}, headers=headers)
    assert reply.status_code == 200
    refused = await shop.http.post("/vitrine.v1.CatalogService/DeleteProducts", json={}, headers=headers)
    assert (refused.status_code, "token:alice has search" in refused.text) == (403, True)
    forged = await shop.http.post("/recommend", json={"query": "a"}, headers={"Authorization": f"Bearer {token}a"})
    assert forged.status_code == 401
    key = shop.key("beside", Scope.SEARCH)
    shop.guard._keys.look()
    assert (await shop.http.post("/recommend", json={"query": "a"}, headers={"X-API-Key": key})).status_code == 200
    told = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpcore", "httpx"))]
    assert [text for text in (*told, refused.text, shop.audit_file.read_text()) if token.split(".")[2] in text] == []


def test_a_source_names_the_algorithms_that_it_lacks(file: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"jwks\.json has no key for RS256"):
        key_source(str(file), frozenset({"RS256"}))
