"""Markdown from parts: tables, and text that Markdown takes as it stands."""

import html
import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([*<|])")


def plain(text: str) -> str:
    """The text in one line, its `code` kept, else with nothing that Markdown reads as its own; safe in a table."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(_code(part) if place % 2 else _SPECIAL.sub(r"\\\1", part) for place, part in enumerate(parts))


def _code(part: str) -> str:
    # GitHub ends a cell at a bare "|" even in code, and MkDocs shows the backslash before an escaped one.
    return f"<code>{html.escape(part[1:-1]).replace('|', '&#124;')}</code>" if "|" in part else part


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, with an empty line after it; nothing where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines]) + "\n\n"
