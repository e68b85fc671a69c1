"""A reading of a file that can be gone on with, shown to people while it runs."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import typer

from cli.ingest.checkpoint import Progress
from cli.progress import progress_bar
from vitrine.errors import VitrineError

Summary = TypeVar("Summary")
Moved = Callable[[int, Progress], None]
Waits = Callable[[float, VitrineError], None]


def shown_run(path: Path, size: int, run: Callable[[Moved, Waits], Coroutine[Any, Any, Summary]]) -> Summary:
    """Runs it beside a bar of `size` bytes, and says that the same command goes on when it is stopped or fails."""
    with progress_bar(path.name, size) as show:
        position, counts = 0, ""

        def moved(now_at: int, progress: Progress) -> None:
            nonlocal position, counts
            position, counts = now_at, f"{progress.accepted:,} accepted, {progress.refused:,} refused"
            show(position, counts)

        def waits(wait_s: float, error: VitrineError) -> None:
            show(position, f"{counts}; again in {wait_s:.1f} s: {error.message}")

        try:
            return asyncio.run(run(moved, waits))
        except (VitrineError, KeyboardInterrupt):
            typer.echo("stopped; the same command goes on from here", err=True)
            raise
