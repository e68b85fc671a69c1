"""Progress bars of commands that tell of their stages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID, TimeElapsedColumn

# Told the stage, how many are done, and of how many.
Advance = Callable[[str, int, int], None]


@contextmanager
def stages() -> Iterator[Advance]:
    """A bar on stderr for each stage, made when the stage is first heard of."""
    tasks: dict[str, TaskID] = {}
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        yield advance
