"""The documentation as a site: built strictly, and read without another host."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.async_api import async_playwright

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
_PATIENCE_MS = 60_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; every link, anchor and page of the navigation was found."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_page_is_in_it_and_none_loads_from_another_host(site: Path) -> None:
    expected = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    expected = {path.with_name("index.html") if path.stem == "README" else path for path in expected}
    made = {path.relative_to(site) for path in site.rglob("*.html")}
    assert expected | {Path("CONTRIBUTING.html")} <= made
    for path in made:
        page = (site / path).read_text()
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]+src=\"?([^\"\s>]+)", page)
        loaded += re.findall(
            r"<link[^>]+rel=\"?(?:stylesheet|preconnect|preload|icon)\"?[^>]+href=\"?([^\"\s>]+)", page
        )
        assert [url for url in loaded if url.startswith(("http:", "https:", "//"))] == [], path


def test_formulas_are_drawn_without_a_script(site: Path) -> None:
    page = (site / "fusion-and-calibration.html").read_text()
    assert page.count("<math") > 10
    assert "arithmatex" not in page


def test_links_out_of_the_docs_name_the_file(site: Path) -> None:
    assert re.search(r"\(<code>protos/vitrine/v1/ad_service\.proto</code>\)", (site / "ads.html").read_text())
    assert re.search(r'<a href="?CONTRIBUTING\.html"?>CONTRIBUTING', (site / "index.html").read_text())


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing of each request."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(_CHROMIUM is None, reason="Chromium is not installed")
async def test_a_phone_shows_wide_tables_and_search_finds_both_languages(address: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(viewport={"width": 390, "height": 800})
        page.set_default_timeout(_PATIENCE_MS)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for name in ("settings", "indexes", "fusion-and-calibration"):
            await page.goto(f"{address}/{name}.html")
            assert await page.evaluate("document.documentElement.scrollWidth") == 390, name
        await page.set_viewport_size({"width": 1280, "height": 800})
        for words, found in (("RANK_DEPTH", "settings.html"), ("智能手表", ".html")):
            await page.goto(f"{address}/index.html")
            await page.locator(".md-search__input").fill(words)
            await page.locator(f'.md-search-result__link[href*="{found}"]').first.wait_for()
        await browser.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
