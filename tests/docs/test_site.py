"""The documentation as a site: built strictly, and read without another host."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert re.search(r"proto \(<code>protos/vitrine/v1/ad_service\.proto</code>\)", (site / "ads.html").read_text())
