"""`vitrine train embedder` from the command line: held-out figures, and one line for what is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.training.tiny_shop import write_shop
from vitrine.bundle import load_bundle


@pytest.fixture
def train(tmp_path: Path, make_embedder_bundle: Callable[..., Path]) -> Callable[..., Result]:
    products, judgements = write_shop(tmp_path)
    base = make_embedder_bundle()
    fast = ["--label-free", "20", "--lexicon", "2", "--epochs", "1", "--batch", "16", "--max-tokens", "16"]

    def run(*options: str) -> Result:
        paths = ["--products", str(products), "--judgements", str(judgements), "--base", str(base)]
        places = ["--out", str(tmp_path / "embedder"), "--run-dir", str(tmp_path / "run")]
        return CliRunner().invoke(app, ["train", "embedder", *paths, *places, *fast, *options])

    return run


def test_it_prints_figures_before_and_after_and_writes_the_bundle(train: Callable[..., Result], tmp_path: Path) -> None:
    done = train("--float32")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("learned from ")
    assert [line.split()[0] for line in lines[2:-1]] == ["judged", "judged", "label_free"]
    assert load_bundle(tmp_path / "embedder", "embedder").manifest.digest in lines[-1]


def test_a_label_for_an_unknown_product_ends_with_one_line_and_nothing_written(
    train: Callable[..., Result], tmp_path: Path
) -> None:
    with (tmp_path / "judgements.jsonl").open("a") as file:
        file.write('{"query": "phone", "product_id": "nowhere", "grade": 1}\n')
    done = train()
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert "1 labels are for products that the catalogue lacks, the first 'nowhere'" in line
    assert not (tmp_path / "embedder").exists()
    assert not (tmp_path / "run").exists()
