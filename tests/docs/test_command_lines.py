"""Command lines on the pages: `vitrine …` with the names and options that there are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from tests.docs.test_readme import PAGES

_COMMAND = typer.main.get_command(app)
# In a block: at the beginning of a line or after &&, with variables before it.
_LINE = re.compile(r"(?:^|&&)[ \t]*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?vitrine +([^\n#|;&><]*)", re.MULTILINE)
# In a sentence.
_INLINE = re.compile(r"(?<!`)`(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?vitrine +([^`]*)`(?!`)")


def _lines(page: Path) -> Iterator[str]:
    text = page.read_text().replace("\\\n", " ")
    yield from _LINE.findall(
        "\n".join(re.findall(r"^(?: *```\w*\n.*?^ *```|(?: {4}|\t).*?)$", text, re.MULTILINE | re.DOTALL))
    )
    yield from _INLINE.findall(text)


def _unknown(line: str) -> list[str]:
    """What of a command line does not exist."""
    words = [word.partition("=")[0] if word.startswith("--") else word for word in line.split()]
    command: Any = _COMMAND
    options = _options(command)
    while hasattr(command, "commands"):
        place = next((at for at, word in enumerate(words) if word in command.commands), None)
        if place is None:
            name = next((word for word in words if re.fullmatch(r"[a-z][a-z-]+", word)), "")
            return [name] if name else []
        command = command.commands[words.pop(place)]
        options |= _options(command)
    return [word for word in words if word.startswith("--") and word != "--" and word not in options]


def _options(command: Any) -> set[str]:
    return {"--help"} | {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    assert {line: unknown for line in _lines(page) if (unknown := _unknown(line))} == {}


def test_lines_in_blocks_and_sentences_are_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    block = ["1. First:", "   ```sh", "   $ cd x && .venv/bin/vitrine search a \\", "     --json | cat", "   ```"]
    said = ["Say `vitrine top --once`.", "", "    A=1 vitrine up", "", *block, "", "```", "vitrine key list", "```", ""]
    page.write_text("\n".join([*said, "In prose vitrine says nothing."]))
    lines = [" ".join(line.split()) for line in _lines(page)]
    assert lines == ["up", "search a --json", "key list", "top --once"]


def test_a_wrong_one_is_found() -> None:
    assert _unknown("key create --nam storefront") == ["--nam"]
    assert _unknown("keys create") == ["keys"]
    assert _unknown("--ca tls/ca.crt search 'a watch' --page-size=3") == []
