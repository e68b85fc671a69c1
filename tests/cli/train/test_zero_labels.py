"""The training commands of docs/how-to-zero-labels.md, in small sizes, on a tiny shop and a tiny model."""

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.training.tiny_shop import write_shop
from vitrine.bundle import load_bundle

_PAGE = Path(__file__).parents[3] / "docs/how-to-zero-labels.md"


def _commands() -> list[list[str]]:
    text = re.sub(r"\\\n\s+", "", _PAGE.read_text())
    return [shlex.split(line) for line in re.findall(r"^ +vitrine (train (?:embedder|ranker) .*)$", text, re.MULTILINE)]


def test_both_commands_train_on_nothing_but_products(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_embedder_bundle: Callable[..., Path]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    for name in ("embedder", "ranker"):
        Path("models", name).symlink_to(make_embedder_bundle())
    rows = [json.loads(line) for line in write_shop(tmp_path)[0].read_text().splitlines()]
    with Path("products.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "title", "brand", "categories", "attributes.color", "attributes.model"])
        for row in rows:
            attributes = row["attributes"]
            cells = (row["categories"][0], attributes["color"][0], attributes["model"][0])
            table.writerow([row["id"], row["title"], row["brand"], *cells])
    embedder, ranker = _commands()
    # The twelve layers of the teacher would take the test's time.
    ranker[ranker.index("packaged:e5")] = "models/embedder"
    embedder += ["--label-free", "60", "--lexicon", "6", "--epochs", "1", "--float32"]
    ranker += ["--made-lists", "60", "--held-out", "0.4", "--epochs", "1", "--float32"]
    for command, kind in ((embedder, "embedder"), (ranker, "ranker")):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        assert "held-out" in done.stdout
        assert load_bundle(Path("out", kind), kind).manifest.digest in done.stdout
