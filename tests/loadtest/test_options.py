"""Options that hold several words: what is none of these ends the command by name, before anything is begun."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest.faults.__main__ import app as faults
from loadtest.index import app as index


@pytest.mark.parametrize("wrong", ["ivf", "ivf,", ",pq", "ivf,float16,pq", "ifv,float16", "ivf,float17"])
def test_an_index_is_a_kind_and_a_storage(tmp_path: Path, wrong: str) -> None:
    sample = tmp_path / "sample.npz"
    _refused(index, ["vectors", "1000", "--index", wrong, "--sample", str(sample)], "--index", wrong, "ivf,float16")
    assert not sample.exists()


def test_a_step_that_there_is_none_of_is_not_left_out() -> None:
    _refused(faults, ["rolling", "--only", "restart,jion"], "--only", "jion", "restart, share, join, fail, hang")


def _refused(app: Any, arguments: list[str], *told: str) -> None:
    run = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert run.exit_code == 2, run.output
    assert [words for words in told if words not in run.stderr] == []
