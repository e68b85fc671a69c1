"""What the training commands share: options of one meaning, and errors that end a command with one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path, typer.Option(help="Folder of the shops' data.", exists=True, file_okay=False)]
Out = Annotated[Path, typer.Option(help="Bundle folder; replaced only when the new bundle is complete.")]
RunDir = Annotated[Path, typer.Option(help="Run folder: log, checkpoints, what made it. The same command resumes it.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed, data and machine give the same steps.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the choice to torch.")]


def use_threads(threads: int) -> None:
    """Limit torch to so many threads; 0 leaves it as it is."""
    import torch

    if threads:
        torch.set_num_threads(threads)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What the person can put right ends the command with one line on stderr and exit status 1."""
    from training.errors import TrainingError

    try:
        yield
    except TrainingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
