"""A product's page in Chromium, where a part of it fails."""

from typing import Any

from playwright.async_api import expect

from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.conftest import open_stand, stand
from tests.gateway.storefront.test_page import Shopper, browser, pytestmark, shopper

__all__ = ["browser", "events_settings", "open_stand", "pytestmark", "raw", "shopper", "stand", "store_server"]


async def test_reviews_that_fail_are_said_to_be_away_and_a_line_can_be_taken_without_the_clipboard(
    shopper: Shopper,
) -> None:
    page = shopper.page

    async def away(route: Any) -> None:
        if route.request.post_data_json["placement"] == "PLACEMENT_CONTENT":
            await route.fulfill(status=503, json={"code": "unavailable", "message": "away"})
        else:
            await route.continue_()

    await page.route("**/vitrine.v1.RecommendationService/Recommend", away)
    await page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await shopper.opens("/?q=smart+watch")
    await page.locator(".results .card a").first.click()
    await expect(page.locator(".reviews .degraded")).to_be_visible()
    await shopper.settled()
    await page.get_by_role("button", name="How it was answered").click()
    line = page.get_by_role("dialog").locator("code").first
    await page.get_by_role("dialog").get_by_role("button", name="Copy").first.click()
    assert await page.evaluate("getSelection().toString()") == await line.inner_text()
    assert shopper.wrong
    assert all("503" in said for said in shopper.wrong)
    shopper.wrong.clear()
