"""What the training commands share: options of one meaning, and errors that end a command with one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

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
    """What the person can put right ends the command with one line on stderr and exit status 1.

    A file that cannot be read or written is such a thing too, wherever the operating system says so.
    """
    from training.errors import TrainingError
    from vitrine.errors import VitrineError

    try:
        yield
    except (TrainingError, VitrineError) as error:
        _end(str(error))
    except OSError as error:
        path = f"{error.filename}: " if error.filename is not None else ""
        _end(f"{path}{error.strerror or error}; free the place or give another")


def _end(message: str) -> NoReturn:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    raise typer.Exit(1) from None
