"""The example page in Chromium: served from one origin, calling a gateway at another that wants a key.

With VITRINE_SCREENSHOTS=docs/pictures it leaves there what was seen.
"""

import functools
import http.server
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from gateway.auth.api_keys import add_key, new_key
from gateway.auth.guard import AuthGuard
from gateway.auth.scopes import Scope
from gateway.auth.settings import AuthSettings
from gateway.events.settings import EventsSettings
from gateway.settings import GatewaySettings
from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.storefront.test_page import browser, pytestmark

__all__ = ["browser", "events_settings", "pytestmark", "raw", "store_server"]
_FOLDER = Path(__file__).parents[2] / "examples" / "browser"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    """Where the page is served from."""
    handler = functools.partial(_Quiet, directory=str(_FOLDER))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
async def page(
    browser: Any, open_shop: Any, events_settings: EventsSettings, origin: str, tmp_path: Path
) -> AsyncIterator[Page]:
    """The page, told where the gateway is and a key for it."""
    expect.set_options(timeout=60_000)
    text, kept = new_key("page", (Scope.SEARCH, Scope.EVENTS), None, None)
    add_key(tmp_path / "keys.json", kept)
    guard = AuthGuard(AuthSettings(keys_file=tmp_path / "keys.json"), GatewaySettings())
    shop = await open_shop(own_catalogue=True, events=events_settings, cors_origins=(origin,))
    async with shop.gateway.http(guard) as port:
        context = await browser.new_context(viewport={"width": 800, "height": 560})
        page = await context.new_page()
        await page.goto(origin)
        await page.get_by_label("Gateway").fill(f"http://127.0.0.1:{port}")
        await page.get_by_label("API key").fill(text)
        await page.get_by_label("Filter").fill("price < 2000")
        yield page
        await context.close()
    await guard.close()


async def test_it_searches_writes_an_event_and_says_why_it_is_refused(page: Page) -> None:
    said, search = page.get_by_role("status"), page.get_by_role("button", name="Search")
    await search.click()
    await expect(said).to_contain_text("5 of ")
    await page.get_by_role("listitem").get_by_role("button").first.click()
    await expect(said).to_contain_text("event written: p")
    if folder := os.environ.get("VITRINE_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / "example-browser.png")
    await page.get_by_label("Filter").fill("colour = red")
    await search.click()
    await expect(said).to_contain_text("invalid_argument (HTTP 400)")
    await expect(said).to_contain_text("field filter.expression: column 1")
    await page.get_by_label("API key").fill("vtr_none")
    await search.click()
    await expect(said).to_contain_text("unauthenticated (HTTP 401)")
    await page.goto(page.url.replace("127.0.0.1", "localhost"))
    await search.click()
    await expect(said).to_contain_text("allow the origin http://localhost:")
