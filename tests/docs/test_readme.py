"""The pages name what is there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]  # fmt: skip
PAGES = [path for path in TRACKED if path.suffix == ".md"]
README = (ROOT / "README.md").read_text()


def test_it_stays_short() -> None:
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", page.read_text())
    local = [target.split("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^\s*|&& )make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE))
    assert named - made == set()


def test_nothing_is_left_to_be_done_later() -> None:
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    suffixes = {".py", ".proto", ".md", ".toml", ".yml", ".yaml", ".json", ".sh", ""}
    marked = [path for path in TRACKED if path.suffix in suffixes and mark.search(path.read_text(errors="ignore"))]
    assert marked == []
