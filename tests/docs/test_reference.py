"""The reference pages are the code's, and nothing is left out of them."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import app
from gateway.unary_calls import SERVICES
from reference.commands import commands
from reference.pages import pages
from reference.protos import Protos, read_protos
from reference.settings import SECTIONS

ROOT = Path(__file__).parents[2]
SOURCES = {
    name: (ROOT / name).read_text()
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    ).stdout.splitlines()
    if (ROOT / name).is_file() and not name.startswith(("tests/", "bench/", "loadtest/"))
}  # fmt: skip


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


@pytest.fixture(scope="module")
def protos() -> Protos:
    return read_protos()


def test_the_pages_are_the_codes(made: dict[str, str]) -> None:
    stale = [name for name, text in made.items() if (ROOT / "docs" / name).read_text() != text]
    assert stale == [], "run make reference, and commit what it wrote"


def test_every_settings_class_has_its_section() -> None:
    written = {
        name
        for text in SOURCES.values()
        for name in re.findall(r"^class (\w+)\((?:Base|Server)Settings\)", text, re.MULTILINE)
    }
    assert written == {section.settings.__name__ for section in SECTIONS} | {"ServerSettings"}


def test_every_setting_is_on_its_page(made: dict[str, str]) -> None:
    page = made["settings.md"]
    for section in SECTIONS:
        for name in section.settings.model_fields:
            prefix = section.settings.model_config["env_prefix"]
            assert f"`{prefix}{name.upper()}" in page or f"`VITRINE_*_{name.upper()}`" in page


def test_every_call_and_every_field_is_on_a_page(made: dict[str, str], protos: Protos) -> None:
    assert set(protos.services) >= set(SERVICES)
    for service in protos.services:
        page = made["api.md" if service in SERVICES else "internal-api.md"]
        for method in protos.services[service].method:
            assert f"/{service}/{method.name}`" in page
    either = made["api.md"] + made["internal-api.md"]
    for name, message in protos.messages.items():
        section = re.search(rf"^### {name.rpartition('.')[2]}\n(.*?)(?=^##|\Z)", either, re.MULTILINE | re.DOTALL)
        assert section, f"{name} is of no call"
        assert [one.name for one in message.field if f"| `{one.name}` |" not in section[1]] == []


def test_every_field_says_what_it_is(protos: Protos) -> None:
    # What a call takes and gives is said at the call.
    said_elsewhere = {name for name in protos.messages if name.endswith(("Request", "Response"))}
    assert [name for name, comment in protos.comments.items() if not comment and name not in said_elsewhere] == []


def test_every_metric_is_on_its_page(made: dict[str, str]) -> None:
    written = {
        name
        for text in SOURCES.values()
        for name in re.findall(r"\b(?:Counter|Gauge|Histogram)\(\s*\"(vitrine_\w+)\"", text)
    }
    assert len(written) > 50
    assert {name for name in written if not re.search(rf"`{name}(_total|_bucket)?`", made["metrics.md"])} == set()


def test_every_command_is_on_its_page_with_each_option(made: dict[str, str]) -> None:
    registered = dict(commands(get_command(app)))
    assert ("train", "embedder") in registered
    for words, command in registered.items():
        section = re.search(
            rf"^#+ vitrine {' '.join(words)}\n(.*?)(?=^#|\Z)", made["commands.md"], re.MULTILINE | re.DOTALL
        )
        assert section
        assert all(one.opts[0] in section[1] for one in command.params if one.param_type_name == "option")
