"""Tests of CORS over a real HTTP server, as browsers ask."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings

SEARCH = "/vitrine.v1.SearchService/Search"
SHOP = "https://shop.example"


async def asked(open_shop: Any, origin: str, method: str, headers: dict[str, str], **settings: Any) -> httpx.Response:
    """What a page of that origin is answered."""
    shop = await open_shop(**settings)
    async with shop.gateway.http() as port, httpx.AsyncClient(trust_env=False, timeout=30) as client:
        content = b'{"query": "watch"}' if method == "POST" else b""
        address = f"http://127.0.0.1:{port}{SEARCH}"
        return await client.request(method, address, content=content, headers={"Origin": origin} | headers)


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "connect-protocol-version, connect-timeout-ms, content-type, x-api-key",
}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(("origins", "allowed"), [((SHOP,), SHOP), (("*",), "*")])
async def test_pages_of_an_origin_that_is_set_may_call(open_shop: Any, origins: tuple[str, ...], allowed: str) -> None:
    before = await asked(open_shop, SHOP, "OPTIONS", PREFLIGHT, cors_origins=origins)
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == allowed
    reply = await asked(open_shop, SHOP, "POST", JSON, cors_origins=origins)
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, allowed)
    assert reply.headers["access-control-expose-headers"] == "Retry-After"
    assert "access-control-allow-credentials" not in reply.headers


async def test_a_page_may_read_why_it_is_refused(open_shop: Any) -> None:
    reply = await asked(open_shop, SHOP, "POST", {}, cors_origins=(SHOP,))
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (415, SHOP)


@pytest.mark.parametrize("settings", [{}, {"cors_origins": (SHOP,)}])
async def test_other_pages_may_not(open_shop: Any, settings: dict[str, Any]) -> None:
    other = "https://elsewhere.example"
    before = await asked(open_shop, other, "OPTIONS", PREFLIGHT, **settings)
    assert before.status_code in (400, 405)
    for reply in (before, await asked(open_shop, other, "POST", JSON, **settings)):
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    [
        "shop.example",
        "https://shop.example/",
        "https://*.shop.example",
        # No browser sends these, so that no page would ever be let in.
        "https://Shop.example",
        "https://shop.example:443",
        "http://[::1]:80",
        "https://商店.example",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin; write scheme, host and port as browsers send them"):
        GatewaySettings(cors_origins=(origin,))


def test_origins_stand_with_commas_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_GATEWAY_CORS_ORIGINS", f"{SHOP}, http://127.0.0.1:8000, http://[::1]:443")
    assert GatewaySettings().cors_origins == (SHOP, "http://127.0.0.1:8000", "http://[::1]:443")
