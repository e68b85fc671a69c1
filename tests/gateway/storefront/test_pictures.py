"""The pictures of docs/storefront.md: each page in both languages and themes, of the sample shop.

Made only with VITRINE_SCREENSHOTS=docs/pictures; nothing else is tested here.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.async_api import Page, expect

from cli.up.ports import free_port
from loadtest.suite import started
from tests.gateway.storefront.test_page import PATIENCE_MS, Shopper, browser

__all__ = ["browser"]
_FOLDER = os.environ.get("VITRINE_SCREENSHOTS", "")
_WIDE, _PHONE = {"width": 1120, "height": 800}, {"width": 390, "height": 844}
_COLOURS = 64
# Query, a product for the history, button of why, of how and of the cart.
_WORDS = {
    "en": ("smart watch", "trail running shoes", "Why this?", "How it was answered", "Into the cart"),
    "zh": ("智能手表", "跑步鞋", "为什么是它？", "怎样得出的", "加入购物车"),
}
pytestmark = pytest.mark.skipif(not _FOLDER, reason="VITRINE_SCREENSHOTS is not set: nobody asks for pictures")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the sample shop's page, with some of what each query finds sponsored."""
    port = free_port()
    settings = {"VITRINE_GATEWAY_PORT": str(free_port()), "VITRINE_GATEWAY_HTTP_PORT": str(port)}
    settings |= {"VITRINE_UP_SAMPLE_PRODUCTS": "600"}
    # On a busy machine, too, all that a search does is seen.
    settings |= {"VITRINE_GATEWAY_RANK_TIMEOUT_S": "30", "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "30"}
    with (
        started(tmp_path_factory.mktemp("shop"), settings=settings),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60.0) as client,
    ):
        for query, _, *_ in _WORDS.values():
            search = {"query": query, "pageSize": 40, "filter": {"currencyCode": "CNY"}}
            found = client.post("/vitrine.v1.SearchService/Search", json=search).raise_for_status().json()["results"]
            sponsored = [{"productId": one["product"]["id"], "bid": 0.8} for one in found[-8:]]
            campaign = {"id": query, "currencyCode": "CNY", "dailyBudget": 200, "products": sponsored}
            client.post("/vitrine.v1.AdService/UpsertCampaigns", json={"campaigns": [campaign]}).raise_for_status()
        yield str(client.base_url)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_each_page(browser: Any, shop: str, language: str, theme: Any) -> None:
    query, other, why, how, cart = _WORDS[language]
    expect.set_options(timeout=PATIENCE_MS)
    context = await browser.new_context(
        locale={"en": "en-GB", "zh": "zh-CN"}[language], color_scheme=theme, viewport=_WIDE, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    shopper = Shopper(page, shop)

    async def keep(name: str) -> None:
        await _keep(page, f"storefront-{name}-{language}-{theme}")

    await shopper.opens(f"/?q={other}")
    await page.locator(".results .card a").first.click()
    await shopper.settled()
    await shopper.opens(f"/?q={query}")
    await keep("search")
    await page.get_by_role("button", name=how).click()
    await expect(page.get_by_role("dialog").locator("code").first).to_be_visible()
    await keep("how")
    await page.keyboard.press("Escape")
    await page.locator(".results").get_by_role("button", name=why).first.click()
    await expect(page.get_by_role("dialog").locator(".words").first).to_be_visible()
    await keep("why")
    await page.keyboard.press("Escape")
    await page.locator(".results .card a").first.click()
    await page.get_by_role("button", name=cart).click()
    await shopper.settled()
    await keep("product")
    await shopper.opens()
    await keep("home")
    await page.set_viewport_size(_PHONE)
    await shopper.opens(f"/?q={query}")
    await keep("phone")
    await context.close()


async def _keep(page: Page, name: str) -> None:
    """What is seen, in few colours: a page is small so, and as sharp."""
    seen = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    few = seen.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(Path(_FOLDER) / f"{name}.png", optimize=True)
