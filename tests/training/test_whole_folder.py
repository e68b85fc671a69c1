"""Folders that a command is to write: what cannot be written is told before the work, not after."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from training.errors import TrainingError
from training.whole_folder import check_file, check_replaceable


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder that holds something else."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("recipe", ["shipped-embedder", "shipped-ranker"])
@pytest.mark.parametrize("option", ["--out", "--float32-out"])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("other", "other holds something else (no bundle.json)"),
        ("other/notes.txt/bundle", "notes.txt is a file"),
        ("same", "same is given for two bundles"),
    ],
)
def test_a_recipe_names_it_before_its_first_step(
    tmp_path: Path, other: Path, recipe: str, option: str, given: str, says: str
) -> None:
    """Of the ranker's, too, where the six layers are still to be made."""
    places = {"--out": "same", "--float32-out": "same", "--run-dir": "run", "--data-dir": "other"} | {option: given}
    options = [word for name, place in places.items() for word in (name, f"{tmp_path}/{place}")]
    done = CliRunner().invoke(app, ["train", recipe, *options])
    assert done.exit_code == 1, (done.output, done.exception)
    (line,) = done.stderr.splitlines()
    assert says in line
    assert list(tmp_path.iterdir()) == [other]


def test_what_is_above_has_to_be_a_folder(tmp_path: Path, other: Path) -> None:
    check_replaceable(tmp_path / "not" / "there" / "yet", "bundle.json")
    check_file(tmp_path / "not" / "there" / "yet.json")
    for check in (lambda path: check_replaceable(path, "bundle.json"), check_file):
        with pytest.raises(TrainingError, match=r"notes\.txt is a file; give another place"):
            check(other / "notes.txt" / "below")
    with pytest.raises(TrainingError, match="other is a folder; give the name of a file"):
        check_file(other)
