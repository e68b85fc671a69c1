"""docs/client.md: its blocks run, in order, and print what the page says."""

import ast
import asyncio
import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from inspect import isawaitable
from pathlib import Path
from typing import Any

from vitrine.client import Client

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text()
TARGET = "127.0.0.1:50051"


def blocks() -> list[tuple[str, str]]:
    """The page's blocks of Python, each with the output that stands under it."""
    return re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL)


async def test_what_the_page_shows_is_what_happens(suite: str) -> None:
    [(program, its_output), *rest] = [(source.replace(TARGET, suite), output) for source, output in blocks()]
    assert len(rest) > 6
    ran = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert (ran.stdout, ran.returncode) == (its_output, 0), ran.stderr
    # The names that the page's first block brought.
    names: dict[str, Any] = {}
    exec(program[: program.index("async def main")], names)
    async with Client(suite, timeout_s=60) as client:
        names["client"] = client
        for source, output in rest:
            printed = io.StringIO()
            with redirect_stdout(printed):
                code = compile(source, "docs/client.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                running = eval(code, names)
                if isawaitable(running):
                    await running
            assert printed.getvalue() == output, source
