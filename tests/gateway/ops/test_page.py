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
# Chromium says of each refusal that it was one.
_REFUSED = "status of 40"


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
    await shop.create_release("spring", ranker_digest=shop.second_ranker)
    guarded = await open_guarded(shop)
    context = await browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(_PATIENCE_MS)
    operator = Operator(await context.new_page(), shop, guarded)
    hosts = set()
    operator.page.on("console", lambda said: operator.wrong.append(said.text))
    operator.page.on("pageerror", lambda error: operator.wrong.append(str(error)))
    operator.page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    yield operator
    await context.close()
    assert [said for said in operator.wrong if _REFUSED not in said] == []
    assert hosts == {guarded.http.base_url.netloc.decode()}


def admin_key(guarded: GuardedShop) -> str:
    """A key with the scope admin alone, known at once."""
    key = guarded.key("boss", Scope.ADMIN)
    guarded.guard._keys.look()  # type: ignore[union-attr]
    return key


async def test_a_key_without_the_scope_is_refused_and_can_be_forgotten(operator: Operator) -> None:
    other = operator.guarded.key("shop", Scope.SEARCH)
    key = admin_key(operator.guarded)
    page = operator.page
    await operator.enters(other)
    await expect(page.get_by_role("alert")).to_contain_text("needs the scope admin")
    await page.get_by_label("API key").fill(key)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="Calls")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_role("region", name="Calls")).to_be_visible()
    await page.get_by_role("button", name="Forget the key").click()
    await expect(page.get_by_label("API key")).to_be_focused()
    await page.reload()
    await expect(page.get_by_label("API key")).to_be_visible()


async def test_rates_queries_and_clicks_are_shown(operator: Operator) -> None:
    await operator.enters(admin_key(operator.guarded))
    search = operator.rows("Calls").filter(has_text="SearchService/Search")
    await expect(search).to_have_count(1)
    # Made while the page is open, they show at its next reading.
    for number in range(5):
        await operator.shop.search(f"blue watch {number}")
    await expect(operator.figure("searchRate")).not_to_have_text("0")
    await expect(search.get_by_role("img")).to_have_count(1)
    await expect(operator.rows("Lacking, refused, left").filter(has_text="not ranked")).to_have_count(1)
    await expect(operator.rows("Models: batches and waits").filter(has_text="ranker")).to_have_count(1)
    await expect(operator.rows("Caches by tier").filter(has_text="Answers")).to_have_count(2)
    await expect(operator.rows("Index and recall probe").first).to_contain_text("240")
    await expect(operator.rows("Processes").first).to_contain_text("yes")
    await expect(operator.rows("Top queries").first).to_contain_text("smart watch")
    await expect(operator.rows("Queries that found nothing").first).to_contain_text("silver phone case")
    await expect(operator.rows("Found by meaning alone").first).to_contain_text("qwzx")
    cells = operator.rows("Worst-ranked clicks").first.locator("th, td")
    await expect(cells).to_have_text(["smart watch", "1", "9", "9", "p007"])


async def test_a_release_is_flipped_and_rolled_back_after_a_question(operator: Operator) -> None:
    page = operator.page
    await operator.enters(admin_key(operator.guarded))
    row = operator.rows("Releases").first
    await expect(row).to_contain_text("spring")
    await page.get_by_role("button", name="Make spring serve").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("in place of the first models")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Make spring serve")).to_be_visible()
    await page.get_by_role("button", name="Make spring serve").click()
    await dialog.get_by_role("button", name="Make it serve").click()
    await expect(page.get_by_text("spring serves now.")).to_be_visible()
    await expect(row).to_contain_text("serves")
    await page.get_by_role("button", name="Roll back").click()
    await dialog.get_by_role("button", name="Roll back").click()
    await expect(page.get_by_text("What served before serves again.")).to_be_visible()
    await expect(row).to_contain_text("kept for rollback")
    audited = [one["method"] for one in operator.guarded.audited() if one["outcome"] == "OK"]
    assert audited == ["/vitrine.v1.ReleaseService/FlipRelease", "/vitrine.v1.ReleaseService/RollbackRelease"]


async def test_both_languages_both_themes_and_a_phone(operator: Operator) -> None:
    page = operator.page
    await operator.enters(admin_key(operator.guarded))
    for theme in ("light", "dark"):
        if theme == "dark":
            await page.get_by_role("button", name="Light or dark").click()
        for language, other, calls in (("en", "中文", "Calls"), ("zh-CN", "English", "调用")):
            await expect(page.locator("html")).to_have_attribute("lang", language)
            await expect(operator.rows(calls).first).to_be_visible()
            await expect(operator.rows("Top queries" if language == "en" else "热门查询").first).to_be_visible()
            await expect(page.locator("html")).to_have_attribute("data-theme", "dark" if theme == "dark" else "")
            await operator.leaves_picture(f"ops-{language[:2]}-{theme}")
            await page.get_by_role("button", name=other).click()
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.reload()
    await expect(operator.rows("Calls").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await operator.leaves_picture("ops-phone")
