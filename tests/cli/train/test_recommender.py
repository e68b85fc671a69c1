"""`vitrine train recommender` from the command line: the bundle, its figures, and one line for what is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.training.recommendation.made_shop import made_events, write_lines, write_shop
from vitrine.recommender_bundle import load_recommender

Train = Callable[..., Result]


@pytest.fixture
def train(tmp_path: Path, make_embedder_bundle: Callable[..., Path]) -> Train:
    write_shop(tmp_path)
    paths = {
        "catalogue": tmp_path / "catalogue.jsonl",
        "events": tmp_path / "events.jsonl",
        "embedder": make_embedder_bundle(),
    }

    def run(**options: object) -> Result:
        given = paths | {"out": tmp_path / "recommender", "max_minutes": 0.1} | options
        arguments = [text for name, value in given.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        return CliRunner().invoke(app, ["train", "recommender", *arguments])

    return run


def test_it_prints_figures_by_source_and_writes_the_bundle(train: Train, tmp_path: Path) -> None:
    done = train()
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    figures = {line.split()[0]: float(line.split()[1]) for line in lines[1:-1]}
    assert list(figures) == ["fusion", "behaviour", "als", "item_item", "co_purchase", "text", "popular"]
    assert figures["fusion"] > figures["popular"]
    bundle = load_recommender(tmp_path / "recommender")
    assert lines[-1] == f"{bundle.manifest.digest} {tmp_path / 'recommender'}"
    assert bundle.manifest.metrics["held_out"]["fusion"] > 0
    assert bundle.manifest.lineage["events"] > 400
    assert "note: too few products were shown at several positions" in done.stderr


@pytest.mark.parametrize("events", [[], made_events(30)])
def test_too_few_visitors_are_no_error_and_write_nothing(
    train: Train, tmp_path: Path, events: list[dict[str, object]]
) -> None:
    write_lines(tmp_path / "events.jsonl", events)
    done = train()
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"nothing trained, {tmp_path / 'recommender'} not written: ")
    assert "visitors did something with three products or more, and 50 are needed to learn from" in line
    assert not (tmp_path / "recommender").exists()


@pytest.mark.parametrize(
    ("option", "content", "says"),
    [
        ("catalogue", json.dumps({"id": "a", "title": ""}) + "\n", "the first line 1: title: is empty"),
        ("events", '{"event_type": "looked", "visitor_id": "a"}\n', "the first line 1: event_type 'looked' is none of"),
        ("events", "not json\n", "no event can be read; 1 rows refused, the first line 1"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_one_line(
    train: Train, tmp_path: Path, option: str, content: str, says: str
) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text(content)
    done = train(**{option: path})
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {path}: ")
    assert says in line
    assert not (tmp_path / "recommender").exists()


def test_a_folder_that_holds_something_else_is_not_replaced(train: Train, tmp_path: Path) -> None:
    (tmp_path / "recommender").mkdir()
    (tmp_path / "recommender" / "mine.txt").write_text("keep")
    done = train()
    assert done.exit_code == 1
    assert "holds something else" in done.stderr
    assert (tmp_path / "recommender" / "mine.txt").read_text() == "keep"


def test_an_embedder_that_is_none_is_refused_before_training(train: Train, tmp_path: Path) -> None:
    done = train(embedder=tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "no bundle at" in done.stderr
    assert not (tmp_path / "recommender").exists()
