"""Command lines on the pages: `vitrine …` with the names and options that there are."""

import re
import shlex
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from tests.docs.test_readme import PAGES

_COMMAND = typer.main.get_command(app)
# In a block: at the beginning of a line or after &&, with variables before it.
_WORDS = r"""((?:"[^"\n]*"|'[^'\n]*'|[^\n#|;&><"'])*)"""
_LINE = re.compile(r"(?:^|&&)[ \t]*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?vitrine +" + _WORDS, re.MULTILINE)
# In a sentence.
_INLINE = re.compile(r"(?<!`)`(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?vitrine +([^`]*)`(?!`)")


def _lines(page: Path) -> Iterator[str]:
    text = page.read_text().replace("\\\n", " ")
    yield from _LINE.findall(
        "\n".join(re.findall(r"^(?: *```\w*\n.*?^ *```|(?: {4}|\t).*?)$", text, re.MULTILINE | re.DOTALL))
    )
    yield from _INLINE.findall(text)


def _unknown(line: str) -> list[str]:
    """What of a command line does not exist: an option that the command before it does not take, or a command."""
    words = deque(shlex.split(line))
    command: Any = _COMMAND
    unknown: list[str] = []
    while words:
        word, is_group = words.popleft(), hasattr(command, "commands")
        if word == "--":
            break
        if word.startswith("--"):
            name, has_value, _ = word.partition("=")
            option = _options(command).get(name)
            if option is None:
                unknown.append(name)
            elif not has_value and not option.is_flag and words:
                words.popleft()
        elif is_group and word in command.commands:
            command = command.commands[word]
        elif is_group:
            # Beyond it nothing can be told; "…" and "<command>" stand for any.
            return [*unknown, word] if re.fullmatch(r"[a-z][a-z-]+", word) else unknown
    return unknown


def _options(command: Any) -> dict[str, Any]:
    taken = command.get_params(command.context_class(command))
    return {name: one for one in taken for name in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    assert {line: unknown for line in _lines(page) if (unknown := _unknown(line))} == {}


def test_lines_in_blocks_and_sentences_are_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    block = ["1. First:", "   ```sh", "   $ cd x && .venv/bin/vitrine search 'a > b' \\", "     --json | cat", "   ```"]
    said = ["Say `vitrine top --once`.", "", "    A=1 vitrine up", "", *block, "", "```", "vitrine key list", "```", ""]
    page.write_text("\n".join([*said, "In prose vitrine says nothing."]))
    lines = [" ".join(line.split()) for line in _lines(page)]
    assert lines == ["up", "search 'a > b' --json", "key list", "top --once"]


def test_a_wrong_one_is_found() -> None:
    assert _unknown("key create --nam storefront") == ["--nam"]
    assert _unknown("keys create") == ["keys"]
    assert _unknown("--ca tls/ca.crt search 'a watch' --page-size=3") == []
    # A value is no command, and an option is the command's that it stands behind.
    assert _unknown("--ca up keys create") == ["keys"]
    assert _unknown("serch up") == ["serch"]
    assert _unknown("--page-size=3 search watch --ca tls/ca.crt") == ["--page-size", "--ca"]
    assert _unknown("train … --out models") == []
