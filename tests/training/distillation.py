"""What holds of either recipe that distils what ships into fewer layers."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from training.errors import TrainingError
from vitrine.bundle import Bundle


def check_goes_on(again: Callable[[], Bundle], other: Callable[[], Bundle], made: Bundle, run: Path) -> None:
    """The same command takes what the run folder holds, and one of `other` settings is refused."""

    def trained() -> int:
        return sum('"batch"' in line for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines())

    batches = trained()
    assert again().manifest.digest == made.manifest.digest
    assert trained() == batches
    with pytest.raises(TrainingError, match="was made with distillation"):
        other()


def check_refused(recipe: str, folder: Path, given: list[str], changed: tuple[str, ...], says: str, out: Path) -> None:
    """A command with an option that is wrong ends in one line that says so; `{place}` stands for `folder`."""
    places = ["--data-dir", f"{folder}/data", "--out", f"{out}/out", "--run-dir", f"{out}/run"]
    options = [option.format(place=folder) for option in changed]
    done = CliRunner().invoke(app, ["train", recipe, *places, *given, *options])
    assert done.exit_code == 1, (done.output, done.exception)
    (line,) = done.stderr.splitlines()
    assert says.format(place=folder) in line
    assert not (out / "out").exists()
