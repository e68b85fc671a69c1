"""`vitrine train ranker` from the command line: figures, the warning, and one line for what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.training.tiny_shop import write_shop
from vitrine.bundle import load_bundle


@pytest.fixture(scope="module")
def embedder(make_embedder_bundle: Callable[..., Path]) -> Path:
    return make_embedder_bundle()


@pytest.fixture
def train(tmp_path: Path, embedder: Path) -> Callable[..., Result]:
    products, judgements = write_shop(tmp_path)

    def run(*options: str) -> Result:
        paths = ["--products", str(products), "--judgements", str(judgements)]
        models = ["--base", str(embedder), "--embedder", str(embedder)]
        places = ["--out", str(tmp_path / "ranker"), "--run-dir", str(tmp_path / "run")]
        return CliRunner().invoke(app, ["train", "ranker", *paths, *models, *places, *options])

    return run


def test_it_prints_what_was_measured_and_writes_the_bundle(train: Callable[..., Result], tmp_path: Path) -> None:
    fast = ("--made-lists", "0", "--held-out", "0.45", "--rate", "3e-3", "--train-words", "--epochs", "5")
    done = train(*fast, "--max-tokens", "32", "--float32")
    assert done.exit_code == 0, done.output
    assert "held-out queries (relevance from labels)" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[1:6]] == [
        "retrieval",
        "dense",
        "evidence",
        "logit",
        "final",
    ]
    assert "warning" not in done.stderr
    bundle = load_bundle(tmp_path / "ranker", "ranker").manifest
    assert bundle.digest in done.stdout
    assert set(bundle.files) == {"config.json", "model.onnx", "model.safetensors", "tokenizer.json"}


def test_a_ranker_that_beats_nothing_is_written_with_a_warning(train: Callable[..., Result], tmp_path: Path) -> None:
    """Labels that follow the retriever's own order cannot be beaten: nothing is relevant but what it has first."""
    products = [json.loads(line) for line in (tmp_path / "products.jsonl").read_text().splitlines()]
    labels = [
        {"query": product["title"], "product_id": other["id"], "grade": int(other is product)}
        for at, product in enumerate(products)
        for other in (product, products[(at + 6) % len(products)])
    ]
    own = tmp_path / "own.jsonl"
    own.write_text("".join(json.dumps(label) + "\n" for label in labels))
    (tmp_path / "judgements.jsonl").write_text(own.read_text())
    done = train("--made-lists", "0", "--held-out", "0.45", "--epochs", "1", "--rate", "1e-6", "--float32")
    assert done.exit_code == 0, done.output
    assert "warning: on held-out queries this ranker does not beat the retriever's order" in done.stderr
    assert load_bundle(tmp_path / "ranker", "ranker").manifest.metrics["held_out"]["queries"] > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--teacher", "packaged:e5*0"), "teacher 'packaged:e5*0': give SOURCE"),
        (("--base", "packaged:gpt"), "base packaged:gpt is not known"),
        (("--embedder", "nowhere"), "no bundle at nowhere"),
        (("--events", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_what_is_wrong_ends_with_one_line_and_nothing_written(
    train: Callable[..., Result], tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = train(*options)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "ranker").exists()
    assert not (tmp_path / "run").exists()
