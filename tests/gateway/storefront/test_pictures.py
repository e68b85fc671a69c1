"""The pictures of docs/storefront.md: each page in both languages and themes, of the sample shop.

Made only with VITRINE_SCREENSHOTS=docs/pictures; nothing else is tested here.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Page, expect

from cli.up.ports import free_port
from loadtest.suite import started
from tests.gateway.storefront.test_page import PATIENCE_MS, Shopper, browser

__all__ = ["browser"]
_FOLDER = os.environ.get("VITRINE_SCREENSHOTS", "")
_WIDE, _PHONE = {"width": 1120, "height": 800}, {"width": 390, "height": 844}
_COLOURS = 256
# Query, a product for the history, button of why, of how and of the cart; and the currency of the ads.
_WORDS = {
    "en": ("smart watch", "trail running shoes", "Why this?", "How it was answered", "Into the cart", "USD"),
    "zh": ("智能手表", "跑步鞋", "为什么是它？", "怎样得出的", "加入购物车", "CNY"),
}
pytestmark = pytest.mark.skipif(not _FOLDER, reason="VITRINE_SCREENSHOTS is not set: nobody asks for pictures")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the sample shop's page."""
    port = free_port()
    settings = {"VITRINE_GATEWAY_PORT": str(free_port()), "VITRINE_GATEWAY_HTTP_PORT": str(port)}
    settings |= {"VITRINE_UP_SAMPLE_PRODUCTS": "600"}
    # On a busy machine, too, all that a search does is seen.
    settings |= {"VITRINE_GATEWAY_RANK_TIMEOUT_S": "30", "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "30"}
    settings |= {"VITRINE_RECOMMENDATION_EVENTS_TIMEOUT_S": "30"}
    with started(tmp_path_factory.mktemp("shop"), settings=settings):
        yield f"http://127.0.0.1:{port}"


async def _sponsor(shop: str, language: str) -> None:
    """Sponsors some of what the language's query finds in its currency, and nothing else: ads are of one currency."""
    query, *_, currency = _WORDS[language]
    async with httpx.AsyncClient(base_url=shop, trust_env=False, timeout=60.0) as client:

        async def call(method: str, message: dict[str, Any]) -> Any:
            return (await client.post(f"/vitrine.v1.{method}", json=message)).raise_for_status().json()

        await call("AdService/DeleteCampaigns", {"ids": list(_WORDS)})
        search = {"query": query, "pageSize": 40, "filter": {"currencyCode": currency}}
        found = (await call("SearchService/Search", search))["results"]
        sponsored = [{"productId": one["product"]["id"], "bid": 0.8} for one in found[:8]]
        campaign = {"id": language, "currencyCode": currency, "dailyBudget": 200, "products": sponsored}
        assert await call("AdService/UpsertCampaigns", {"campaigns": [campaign]}) == {"outcomes": [{"id": language}]}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_each_page(browser: Any, shop: str, language: str, theme: Any) -> None:
    query, other, why, how, cart, _ = _WORDS[language]
    await _sponsor(shop, language)
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
    await expect(page.locator("[data-placement=ADS] .ad")).to_have_count(3)
    await page.locator("[data-placement=ADS]").scroll_into_view_if_needed()
    await keep("ads")
    await page.set_viewport_size(_PHONE)
    await shopper.opens(f"/?q={query}")
    await keep("phone")
    await context.close()


async def _keep(page: Page, name: str) -> None:
    """What is seen, in few colours: a page is small so, and as sharp.

    They are those that it has most of, as they are: means of colours would be others in each picture, the logo's, too.
    """
    seen = np.asarray(Image.open(io.BytesIO(await page.screenshot())).convert("RGB"))
    colours, which, counts = np.unique(seen.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    palette = colours[np.argsort(-counts)[:_COLOURS]]
    nearest = np.square(colours[:, None].astype(int) - palette).sum(axis=2).argmin(axis=1).astype(np.uint8)
    few = Image.fromarray(nearest[which].reshape(seen.shape[:2]), "P")
    few.putpalette(palette.tobytes())
    few.save(Path(_FOLDER) / f"{name}.png", optimize=True)
