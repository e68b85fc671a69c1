"""The results of a search in Chromium, where a later page fails."""

from typing import Any

from playwright.async_api import expect

from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.conftest import open_stand, stand
from tests.gateway.storefront.test_page import Shopper, browser, pytestmark, shopper

__all__ = ["browser", "events_settings", "open_stand", "pytestmark", "raw", "shopper", "stand", "store_server"]


async def test_a_page_that_fails_is_asked_again_by_the_shopper_alone(shopper: Shopper) -> None:
    page, refused = shopper.page, 0

    async def busy(route: Any) -> None:
        nonlocal refused
        if not route.request.post_data_json.get("pageToken"):
            await route.continue_()
            return
        refused += 1
        await route.fulfill(status=429, json={"code": "resource_exhausted", "message": "busy"})

    await page.route("**/vitrine.v1.SearchService/Search", busy)
    await shopper.opens("/?q=%E8%B7%91%E6%AD%A5%E9%9E%8B")
    cards = page.locator(".results .grid").first.locator(".card")
    await page.locator(".more").scroll_into_view_if_needed()
    failure = page.locator(".results .failure")
    await expect(failure).to_be_visible()
    await page.evaluate("async () => { for (let i = 0; i < 20; i++) await fetch('/healthz') }")
    assert (refused, await cards.count()) == (1, 24)
    await page.unroute("**/vitrine.v1.SearchService/Search")
    await failure.get_by_role("button").click()
    await expect(cards.nth(24)).to_be_attached()
    await expect(failure).to_have_count(0)
    assert shopper.wrong
    assert all("429" in said for said in shopper.wrong)
    shopper.wrong.clear()


async def test_a_browser_that_keeps_nothing_shows_the_shop_and_a_first_page_that_fails_says_of_what(
    shopper: Shopper,
) -> None:
    page = shopper.page
    await page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    await shopper.opens("/?q=%E8%B7%91%E6%AD%A5%E9%9E%8B")
    await expect(page.locator(".results .grid").first.locator(".card").first).to_be_visible()

    async def busy(route: Any) -> None:
        await route.fulfill(status=429, json={"code": "resource_exhausted", "message": "busy"})

    await page.route("**/vitrine.v1.SearchService/Search", busy)
    await shopper.opens("/?q=watch")
    await expect(page.locator(".results .failure")).to_be_visible()
    await expect(page.locator("h1")).to_have_text("watch")
    assert all("429" in said for said in shopper.wrong)
    shopper.wrong.clear()
