"""The storefront as a shopper has it: in Chromium, over a real gateway, with an event store."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.conftest import Stand, open_stand, stand
from vitrine.errors import Unavailable

__all__ = ["events_settings", "open_stand", "raw", "stand", "store_server"]
_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE_MS = 60_000
pytestmark = pytest.mark.skipif(_CHROMIUM is None, reason="Chromium is not installed")


@dataclass(slots=True)
class Shopper:
    """A browser's page at the shop, and what went wrong in it."""

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    async def opens(self, path: str = "/") -> None:
        """Goes to a page of the shop and waits until its lists are there."""
        await self.page.goto(self.address + path)
        await self.settled()

    async def settled(self) -> None:
        """Waits until nothing is on its way."""
        await expect(self.page.locator("main > *")).to_be_visible()
        await expect(self.page.locator(".skeleton, [aria-busy=true]")).to_have_count(0)

    def titles(self, list_of: str) -> Any:
        """Titles of the products in a list."""
        return self.page.locator(f"{list_of} .card h3")


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def shopper(browser: Any, stand: Stand) -> AsyncIterator[Shopper]:
    """An English shopper; what the page says to its console, or asks of other hosts, fails the test."""
    expect.set_options(timeout=PATIENCE_MS)
    async with stand.shop.gateway.http() as port:
        context = await browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        shopper = Shopper(page, f"http://127.0.0.1:{port}")
        page.on("console", lambda said: shopper.wrong.append(said.text))
        page.on("pageerror", lambda error: shopper.wrong.append(str(error)))
        page.on("request", lambda request: shopper.hosts.add(request.url.split("/")[2]))
        yield shopper
        await context.close()
    assert shopper.wrong == []
    assert shopper.hosts == {f"127.0.0.1:{port}"}


async def test_a_shopper_types_filters_clicks_and_sees_the_shelf_change(shopper: Shopper, stand: Stand) -> None:
    page = shopper.page
    await shopper.opens()
    before = await shopper.titles("[data-placement=HOME]").all_inner_texts()
    assert len(before) == 12
    box = page.get_by_role("combobox", name="What are you looking for?")
    await box.press_sequentially("smart wa")
    await expect(page.get_by_role("option").first).to_be_visible()
    await box.press("ArrowDown")
    await expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    await box.press("Escape")
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await box.fill("smart watch")
    await box.press("Enter")
    await shopper.settled()
    await expect(page.locator("h1")).to_contain_text("smart watch")
    await expect(page.locator(".results mark").first).to_be_visible()
    brand = page.get_by_role("group", name="Brand").locator("label").first
    name = await brand.locator("span").inner_text()
    await brand.click()
    await shopper.settled()
    await expect(page.get_by_role("group", name="Brand").get_by_role("checkbox", name=name)).to_be_checked()
    shown = await page.locator(".results .grid").first.locator(".brand").all_inner_texts()
    assert set(shown) == {name}
    chosen = page.locator(".results .grid").first.locator(".card a").first
    title = await chosen.locator("h3").inner_text()
    await chosen.click()
    await expect(page.locator("article h1")).to_have_text(title)
    await shopper.settled()
    similar = await shopper.titles("[data-placement=SIMILAR]").all_inner_texts()
    assert similar
    assert title not in similar
    await page.get_by_role("button", name="Into the cart").click()
    await expect(page.get_by_role("button", name="In the cart")).to_be_visible()
    await page.get_by_role("link", name="Home").click()
    await shopper.settled()
    after = await shopper.titles("[data-placement=HOME]").all_inner_texts()
    assert after != before
    assert sum("watch" in one for one in after) > sum("watch" in one for one in before)
    why = page.get_by_role("dialog")
    await page.locator("[data-placement=HOME]").get_by_role("button", name="Why this?").first.click()
    await expect(why.get_by_role("heading", name="What the score is made of")).to_be_visible()
    await page.keyboard.press("Escape")
    await shopper.opens("/?q=smart+watch")
    await page.locator(".results .grid").first.get_by_role("button", name="Why this?").first.click()
    await expect(why.get_by_role("heading", name="What your taste adds to the score")).to_be_visible()


async def test_why_and_how_are_told_and_a_lost_ranker_is_said(shopper: Shopper, stand: Stand) -> None:
    page = shopper.page
    await shopper.opens("/?q=black+smart+watch")
    first = page.locator(".results .grid").first.locator(".card").first
    await first.get_by_role("button", name="Why this?").click()
    why = page.get_by_role("dialog")
    await expect(why.locator(".words").first).to_contain_text("watch")
    await expect(why.get_by_role("heading", name="Found by")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(why).to_have_count(0)
    await page.get_by_role("button", name="How it was answered").click()
    how = page.get_by_role("dialog")
    await expect(how.locator(".waterfall th", has_text="rank").first).to_be_visible()
    await expect(how.locator("code").first).to_contain_text("vitrine.v1.SearchService/Search")
    await page.keyboard.press("Escape")
    await expect(page.locator(".degraded")).to_have_count(0)
    stand.shop.ranker.error = Unavailable("away")
    await shopper.opens("/?q=running+shoes")
    await expect(page.locator(".degraded")).to_contain_text("the ranker is away")


async def test_language_theme_and_pages_to_the_end(shopper: Shopper) -> None:
    page = shopper.page
    await shopper.opens("/?q=%E8%B7%91%E6%AD%A5%E9%9E%8B&order=newest")
    total = int((await page.locator("h1").inner_text()).split()[0])
    await expect(page.get_by_text("That is all.")).to_be_visible()
    cards = page.locator(".results .grid").first.locator(".card")
    assert await cards.count() == total
    await page.get_by_role("button", name="中文").click()
    await shopper.settled()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.locator("h1")).to_contain_text("件商品")
    await page.get_by_role("button", name="明暗切换").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.reload()
    await shopper.settled()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await shopper.opens("/?compare")
    await expect(page.locator("[data-placement=HOME]")).to_have_count(2)


async def test_the_page_is_closed_to_others_and_can_be_switched_off(open_shop: Any) -> None:
    for storefront, status in ((True, 200), (False, 404)):
        shop = await open_shop(storefront=storefront)
        async with shop.gateway.http() as port, httpx.AsyncClient(trust_env=False) as client:
            for path in ("/", "/storefront/page.js", "/storefront/config.json"):
                reply = await client.get(f"http://127.0.0.1:{port}{path}")
                assert reply.status_code == status
                if storefront:
                    policy = reply.headers["Content-Security-Policy"]
                    assert "default-src 'none'" in policy
                    assert "unsafe" not in policy
            outside = await client.get(f"http://127.0.0.1:{port}/storefront/%2e%2e/http.py")
            assert outside.status_code == 404
