"""The page of commands: every `vitrine` command with its arguments and options."""

from collections.abc import Iterator
from typing import Any

import typer

from cli.main import app
from reference.markdown import plain, table

_INTRODUCTION = """# Commands

`vitrine COMMAND --help` says the same in a terminal. What a person can mend ends a command with one line on stderr and
status 1. Commands that call a gateway read `VITRINE_CLIENT_…` ([settings](settings.md#commands-that-call-a-gateway))
or the options of `vitrine` itself, before the command's name:

"""


def commands_page() -> str:
    """The page."""
    root: Any = typer.main.get_command(app)
    parts = [_INTRODUCTION, _options(root)]
    for words, command in commands(root):
        parts.append(f"{'#' * (len(words) + 1)} vitrine {' '.join(words)}\n\n{plain(command.help)}\n\n")
        if not hasattr(command, "commands"):
            parts.append(f"    {_usage(words, command)}\n\n{_options(command)}")
    return "".join(parts).rstrip() + "\n"


def commands(group: Any, outer: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command by its words, in the order of `--help`; a group comes before its own."""
    for name, command in group.commands.items():
        yield (*outer, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*outer, name))


def _usage(words: tuple[str, ...], command: Any) -> str:
    arguments = [_argument(one) for one in command.params if one.param_type_name == "argument"]
    required = [one.opts[0] + f" {one.name.upper()}" for one in command.params if _is_option(one) and one.required]
    options = ["[OPTIONS]"] if any(_is_option(one) and not one.required for one in command.params) else []
    return " ".join(["vitrine", *words, *arguments, *required, *options])


def _argument(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def _options(command: Any) -> str:
    context = typer.Context(command)
    rows = []
    for one in command.params:
        record = one.get_help_record(context)
        if record is None or {"--install-completion", "--show-completion"} & set(one.opts):
            continue
        name, meaning = record
        rows.append((plain(f"`{name if _is_option(one) else one.name.upper()}`"), plain(meaning)))
    return table(("option", "meaning"), rows)
