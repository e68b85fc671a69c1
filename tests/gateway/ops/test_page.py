"""The operators' page as they have it: in Chromium, over a real gateway with keys, an event store and releases.

With VITRINE_SCREENSHOTS=docs/pictures the tests leave there what was seen.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from gateway.auth.scopes import Scope
from tests.gateway.auth.conftest import GuardedShop, open_guarded
from tests.gateway.ops.conftest import OpsShop
from tests.gateway.storefront.test_page import browser, pytestmark
from vitrine.errors import Unavailable
from vitrine.v1 import retriever_service_pb2

__all__ = ["browser", "open_guarded", "pytestmark"]
_PATIENCE_MS = 60_000
# What Chromium says itself of calls that were refused, or that the test held up.
_SAID_OF_REFUSALS = ("status of 40", "ERR_FAILED")


@dataclass(slots=True)
class Operator:
    """A browser's page of whoever runs the shop, and what went wrong in it."""

    page: Page
    shop: OpsShop
    guarded: GuardedShop
    wrong: list[str] = field(default_factory=list)

    async def enters(self, key: str) -> None:
        """Opens the page and types a key."""
        await self.page.goto(f"{self.guarded.http.base_url}/ops")
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Enter").click()

    def rows(self, title: str) -> Any:
        """The rows of the table under a heading."""
        return self.page.get_by_role("region", name=title, exact=True).locator("tbody tr")

    def figure(self, name: str) -> Any:
        """A figure of the strip."""
        return self.page.locator(f"[data-figure={name}] strong")

    async def leaves_picture(self, name: str) -> None:
        """Keeps what is seen where the documentation wants it."""
        if folder := os.environ.get("VITRINE_SCREENSHOTS"):
            await self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
async def operator(browser: Any, open_ops: Any, open_guarded: Any) -> AsyncIterator[Operator]:
    """An operator before the page, of a shop that was searched; what the page says to its console fails the test."""
    expect.set_options(timeout=_PATIENCE_MS)
    shop: OpsShop = await open_ops(own_catalogue=True)
    for query in ("smart watch", "smart watch", "跑步鞋", "qwzx"):
        await shop.search(query)
    cheap = retriever_service_pb2.ProductFilter(max_price=1.0)
    await shop.search("silver phone case", filter=cheap)
    shop.ranker.error = Unavailable("away")
    await shop.search("coffee machine for two")
    shop.ranker.error = None
    await shop.tells("SELECT_ITEM", "ana", ("p007", 9), query="smart watch")
    await shop.tells("SELECT_ITEM", "ben", ("p130", 1), query="跑步鞋")
    await shop.create_release("spring")
    guarded = await open_guarded(shop)
    context = await browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(_PATIENCE_MS)
    operator = Operator(await context.new_page(), shop, guarded)
    hosts = set()
    operator.page.on("console", lambda said: operator.wrong.append(said.text))
    operator.page.on("pageerror", lambda error: operator.wrong.append(str(error)))
    operator.page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    yield operator
    await context.close()
    assert [said for said in operator.wrong if not any(one in said for one in _SAID_OF_REFUSALS)] == []
    assert hosts == {guarded.http.base_url.netloc.decode()}


def admin_key(guarded: GuardedShop) -> str:
    """A key with the scope admin alone, known at once."""
    key = guarded.key("boss", Scope.ADMIN)
    assert guarded.guard._keys is not None
    guarded.guard._keys.look()
    return key


async def test_a_key_is_asked_for_and_figures_queries_and_clicks_are_shown(operator: Operator) -> None:
    page, other, key = operator.page, operator.guarded.key("shop", Scope.SEARCH), admin_key(operator.guarded)
    await operator.enters(other)
    await expect(page.get_by_role("alert")).to_contain_text("needs the scope admin")
    await page.get_by_label("API key").fill(key)
    await page.keyboard.press("Enter")
    search = operator.rows("Calls").filter(has_text="SearchService/Search")
    await expect(search.get_by_role("img")).to_have_count(1)
    await expect(page.get_by_role("alert")).to_have_count(0)
    # Made while the page is open, they show at its next readings.
    for number in range(5):
        await operator.shop.search(f"blue watch {number}")
    await expect(operator.figure("searchRate")).not_to_have_text("0")
    await expect(operator.rows("Lacking, refused, left").filter(has_text="not ranked").first).to_be_visible()
    await expect(operator.rows("Models: batches and waits").filter(has_text="ranker")).to_have_count(1)
    await expect(operator.rows("Caches by tier").filter(has_text="Answers")).to_have_count(2)
    await expect(operator.rows("Index and recall probe").first).to_contain_text("240")
    await expect(operator.rows("Processes").first).to_contain_text("yes")
    await expect(operator.rows("Top queries").first).to_contain_text("smart watch")
    await expect(operator.rows("Queries that found nothing").first).to_contain_text("silver phone case")
    await expect(operator.rows("Found by meaning alone").first).to_contain_text("qwzx")
    cells = operator.rows("Worst-ranked clicks").first.locator("th, td")
    await expect(cells).to_have_text(["smart watch", "1", "9", "9", "p007"])
    # A gateway that is away is said, and what was read stays.
    await page.route("**/*OpsService/GetOverview", lambda route: route.abort())
    await expect(page.get_by_role("alert")).to_contain_text("could not be read")
    await expect(search).to_have_count(1)
    await page.unroute("**/*OpsService/GetOverview")
    await expect(page.get_by_role("alert")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_role("region", name="Calls")).to_be_visible()
    await page.get_by_role("button", name="Forget the key").click()
    await expect(page.get_by_label("API key")).to_be_focused()


async def test_releases_are_flipped_in_both_languages_and_themes(operator: Operator) -> None:
    page = operator.page
    await operator.enters(admin_key(operator.guarded))
    row = operator.rows("Releases").first
    await expect(row).to_contain_text("spring")
    await operator.leaves_picture("ops-en-light")
    await page.get_by_role("button", name="Make spring serve").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("in place of the first models")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await page.get_by_role("button", name="Light or dark").click()
    await page.get_by_role("button", name="Make spring serve").click()
    await operator.leaves_picture("ops-en-dark")
    await dialog.get_by_role("button", name="Make it serve").click()
    await expect(page.get_by_text("spring serves now.")).to_be_visible()
    await expect(row).to_contain_text("serves")
    for query in ("black smart watch", "双肩电脑包"):
        await operator.shop.search(query)
    await page.get_by_role("button", name="中文").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(operator.rows("热门查询").first).to_contain_text("smart watch")
    await expect(operator.rows("发布").first).to_contain_text("服务中")
    await operator.leaves_picture("ops-zh-dark")
    await page.get_by_role("button", name="明暗切换").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await expect(operator.rows("阶段").filter(has_text="rank")).to_have_count(1)
    await page.get_by_role("region", name="索引与召回探测").scroll_into_view_if_needed()
    await operator.leaves_picture("ops-zh-light")
    await page.get_by_role("button", name="回滚").click()
    await dialog.get_by_role("button", name="回滚").click()
    await expect(page.get_by_text("之前的发布已重新服务。")).to_be_visible()
    await expect(operator.rows("发布").first).to_contain_text("留作回滚")
    audited = [one["method"] for one in operator.guarded.audited() if one["outcome"] == "OK"]
    assert audited == ["/vitrine.v1.ReleaseService/FlipRelease", "/vitrine.v1.ReleaseService/RollbackRelease"]
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.reload()
    await expect(operator.rows("调用").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await operator.leaves_picture("ops-zh-phone")
