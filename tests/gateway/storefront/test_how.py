"""How it was answered: each stage, and in Chromium when the gateway went away after that."""

import json
import re
from pathlib import Path

from playwright.async_api import expect

from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.conftest import open_stand, stand
from tests.gateway.storefront.test_page import Shopper, browser, pytestmark, shopper

__all__ = ["browser", "events_settings", "open_stand", "pytestmark", "raw", "shopper", "stand", "store_server"]
_GATEWAY = Path(__file__).parents[3] / "gateway"


def test_every_stage_that_is_timed_has_its_place_and_its_words() -> None:
    timed = {
        stage for path in _GATEWAY.rglob("*.py") for stage in re.findall(r'\.timed\("(\w+)"\)', path.read_text("utf-8"))
    }
    script = (_GATEWAY / "storefront" / "how.js").read_text("utf-8")
    stages = json.loads(re.findall(r"STAGES = (\[.*\]);", script)[0])
    assert "rank" in timed
    assert sorted(stages) == sorted(timed - {"total"})
    chinese = (_GATEWAY / "storefront" / "words.js").read_text("utf-8").partition("  zh: {")[2]
    assert [stage for stage in stages if not re.search(rf'\b{stage}: "', chinese)] == []


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
