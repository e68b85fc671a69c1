"""The embedder's training is tuned on real small files, and the best values come as a command."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder
from training.embedder_fine_tuning import FineTuning
from training.errors import TrainingError
from training.sources.files import SourceFiles
from training.tuning import OneOf, Range
from training.tuning_objectives import TuningPlan, best_command, searched, tune_training
from training.vocabulary import trim


@pytest.fixture
def files(tmp_path: Path) -> SourceFiles:
    rows, judged = [], []
    for number in range(40):
        title = f"{('red', 'blue')[number % 2]} {('phone', 'case')[number % 4 // 2]} {number}"
        rows.append({"id": f"p{number}", "title": title, "brand": "redo", "language": "en"})
        for word in ("red phone", "blue case", "red case", "blue phone"):
            judged.append({"query": f"{word} {number % 5}", "product_id": f"p{number}", "grade": int(word in title)})
    products, judgements = tmp_path / "products.jsonl", tmp_path / "judgements.jsonl"
    for path, lines in ((products, rows), (judgements, judged)):
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return SourceFiles((products,), judgements=(judgements,))


@pytest.fixture
def plan(tmp_path: Path, files: SourceFiles) -> TuningPlan:
    trimmed = trim(write_tokenizer(tmp_path), ["red blue phone case"])
    trained = Trained(bert_tensors(len(trimmed.pieces)), 4, 1e-12, trimmed.tokenizer_json, {}, {})
    prompts = {"query": "", "document": ""}
    write_embedder(tmp_path / "base", trained, "tiny", "1", prompts, int8=False)
    return TuningPlan(
        what="embedder",
        files=files,
        base=str(tmp_path / "base"),
        trials=2,
        vary=("learning_rate", "layers_kept"),
        embedder_tuning=FineTuning(epochs=1, label_free=20, lexicon=4, batch=8, mining="never"),
        fixed_options=("--epochs", "1"),
    )


def test_an_embedders_training_is_tuned_and_resumed(tmp_path: Path, plan: TuningPlan) -> None:
    run = tmp_path / "run"
    tuned, command = tune_training(plan, run)
    assert tuned.trials == 2
    assert set(tuned.best) == {"learning_rate", "layers_kept"}
    words = shlex.split(command)
    assert words[:3] == ["vitrine", "train", "embedder"]
    assert float(words[words.index("--rate") + 1]) == pytest.approx(tuned.best["learning_rate"], rel=1e-3)
    assert words[words.index("--layers-kept") + 1] == str(tuned.best["layers_kept"])
    assert not list(run.glob("trial-*"))
    # All trials are there already: nothing is trained again.
    assert tune_training(plan, run)[0].trials == 2


def test_the_space_follows_from_what_is_asked(plan: TuningPlan) -> None:
    asked = replace(plan, vary=(), ranges={"negatives": Range(1, 3)})
    assert searched(asked, 6)["negatives"] == Range(1, 3)
    assert searched(asked, 6)["layers_kept"] == Range(3, 6)
    assert searched(replace(asked, what="ranker", ranges={}), 6)["loss"] == OneOf(("pointwise", "listwise", "both"))
    with pytest.raises(TrainingError, match="'width' can't be varied for the embedder; choose from learning_rate"):
        searched(replace(plan, vary=("width",)), 6)
    with pytest.raises(TrainingError, match="has no range"):
        searched(replace(plan, what="ranker", vary=(), ranges={"loss": Range(0, 1)}), 6)


def test_rankers_get_a_command_too(plan: TuningPlan) -> None:
    words = shlex.split(best_command(replace(plan, what="ranker"), {"loss": "both", "rate": 0.000123456}))
    assert words[words.index("--loss") + 1] == "both"
    assert words[words.index("--rate") + 1] == "0.0001235"
    assert words[words.index("--embedder") + 1] == "models/embedder"
