"""The README says what the code does."""

import itertools
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.metrics_table import HEADER as METRICS_HEADER
from tests.docs.metrics_table import metrics_table
from tests.docs.settings_table import (
    ADS,
    CLASSES,
    EVENTS,
    EXPERIMENTS,
    HEADER,
    RECOMMENDATION,
    SECURITY,
    SUGGEST,
    TRACING,
    settings_table,
)

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


@pytest.mark.parametrize(
    ("page", "classes"),
    [
        ("docs/settings.md", CLASSES),
        ("docs/events.md", EVENTS),
        ("docs/recommendation.md", RECOMMENDATION),
        ("docs/ads.md", ADS),
        ("docs/experiments.md", EXPERIMENTS),
        ("docs/suggest.md", SUGGEST),
        ("docs/observability.md", TRACING),
        ("docs/security.md", SECURITY),
    ],
)
def test_the_settings_table_is_the_codes(page: str, classes: dict[str, Any]) -> None:
    lines = (ROOT / page).read_text().splitlines()
    start = lines.index(HEADER[0])
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append(line)
    expected = settings_table(classes)
    assert table == expected, f"the table of {page} should be:\n" + "\n".join(expected)


def test_the_table_of_metrics_is_the_codes() -> None:
    lines = (ROOT / "docs/observability.md").read_text().splitlines()
    start = lines.index(METRICS_HEADER[0])
    table = list(itertools.takewhile(lambda line: line.startswith("|"), lines[start:]))
    expected = metrics_table()
    assert table == expected, "python -m tests.docs.metrics_table prints what the table should be:\n" + "\n".join(
        expected
    )


def test_no_settings_class_is_left_out() -> None:
    written = set()
    for path in TRACKED:
        if path.suffix == ".py" and "tests" not in path.relative_to(ROOT).parts:
            written.update(re.findall(r"^class (\w+)\((?:Base|Server)Settings\)", path.read_text(), re.MULTILINE))
    known = (CLASSES | EVENTS | RECOMMENDATION | ADS | EXPERIMENTS | SUGGEST | SECURITY | TRACING).values()
    assert written == {settings.__name__ for settings in known} | {"ServerSettings"}


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
