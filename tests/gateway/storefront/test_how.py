"""How it was answered, in Chromium, when the gateway went away after that."""

from playwright.async_api import expect

from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.conftest import open_stand, stand
from tests.gateway.storefront.test_page import Shopper, browser, pytestmark, shopper

__all__ = ["browser", "events_settings", "open_stand", "pytestmark", "raw", "shopper", "stand", "store_server"]


async def test_how_an_answer_came_about_is_told_while_the_gateway_is_away(shopper: Shopper) -> None:
    page = shopper.page
    await shopper.opens("/?q=smart+watch")
    await page.route("**/storefront/config.json", lambda route: route.abort())
    await page.get_by_role("button", name="How it was answered").click()
    how = page.get_by_role("dialog")
    await expect(how.locator(".waterfall th", has_text="rank").first).to_be_visible()
    await expect(how.locator("code")).to_have_count(0)
    assert all("ERR_FAILED" in said for said in shopper.wrong)
    shopper.wrong.clear()
