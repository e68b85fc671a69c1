"""`vitrine train pretrain` end to end: from files to a base that the next step takes, in one process and in two."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig
from typer.testing import CliRunner, Result

from cli.main import app
from tests.training.tiny import write_tokenizer
from training.backbones import build_backbone
from training.bases import load_base, make_base, save_base
from training.vocabulary import trim

_SHAPE = BertConfig(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=64,
    pad_token_id=1,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
_ROOT = Path(__file__).parents[3]


def _word(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a tiny base, a catalogue, reviews and judgements."""
    tokenizer: Tokenizer = trim(write_tokenizer(tmp_path), ["red blue phone case 手机"], also=["<mask>"]).tokenizer()
    torch.manual_seed(0)
    save_base(make_base(build_backbone(_SHAPE), tokenizer, source="tiny"), tmp_path / "base")
    rng = random.Random(0)
    products = [
        {
            "id": f"P{number}",
            "title": f"{_word(rng)} {_word(rng)} {'phone' if number % 2 else 'case'} {_word(rng)}",
            "brand": _word(rng),
            "description": f"{_word(rng)} {_word(rng)} {_word(rng)}",
            "categories": ["Red > Phone" if number % 2 else "Blue > Case"],
            "attributes": {"colour": [rng.choice(["red", "blue"])]},
        }
        for number in range(60)
    ]
    reviews = [{"id": f"R{number}", "text": f"手机 {_word(rng)} {_word(rng)}"} for number in range(20)]
    for name, rows in (("products", products), ("reviews", reviews)):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines + "\n", encoding="utf-8")
    return tmp_path


def _arguments(shop: Path, name: str, *more: str) -> list[str]:
    files = ["--products", f"{shop}/products.jsonl", "--reviews", f"{shop}/reviews.jsonl", "--base", f"{shop}/base"]
    places = ["--out", f"{shop}/{name}", "--run-dir", f"{shop}/{name}-run"]
    return ["train", "pretrain", *files, *places, "--batch-tokens", "128", "--rate", "1e-3", *more]


def _run(shop: Path, name: str, *more: str) -> Result:
    return CliRunner().invoke(app, _arguments(shop, name, *more))


def test_a_base_is_pretrained_and_its_gain_measured(shop: Path) -> None:
    result = _run(shop, "out", "--measure", "20")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("texts ")
    before, after = (float(lines[1].split()[at]) for at in (2, 4))
    assert 0 < after < before
    assert lines[2].split() == ["fine-tuned", "queries", "figure", "without", "with"]
    assert lines[3].split()[0] == "label_free"
    base = load_base(str(shop / "out"))
    assert lines[-1] == f"{base.digest} {shop / 'out'}"
    assert base.lineage["steps"] == ["pretrain on the shop's text"]
    log = [json.loads(line) for line in (shop / "out-run" / "log.jsonl").read_text().splitlines()]
    assert {"texts", "head", "pretrain", "held-out", "measure-before", "measure-after"} <= {
        line.get("step") for line in log
    }
    again = _run(shop, "out", "--measure", "20")
    assert again.output.splitlines()[-1] == lines[-1]


def test_two_processes_do_what_one_does_that_accumulates_two(shop: Path) -> None:
    assert _run(shop, "one", "--measure", "0", "--accumulate", "2").exit_code == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cli"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*launch, *_arguments(shop, "two", "--measure", "0")],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, two = (load_base(str(shop / name)).model.state_dict() for name in ("one", "two"))
    start = load_base(str(shop / "base")).model.state_dict()
    for name, values in one.items():
        torch.testing.assert_close(two[name], values, rtol=1e-3, atol=1e-5)
    assert any(not torch.equal(values, start[name]) for name, values in two.items())
    losses = [(shop / f"{name}-run" / "loss-after.json").read_text() for name in ("one", "two")]
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-4)


def test_a_run_folder_of_another_base_is_refused(shop: Path) -> None:
    assert _run(shop, "out", "--measure", "0").exit_code == 0
    torch.manual_seed(1)
    base = load_base(str(shop / "base"))
    save_base(make_base(build_backbone(_SHAPE), base.tokenizer, source="tiny"), shop / "base")
    result = _run(shop, "out", "--measure", "0")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: run folder ")
    assert "was made with base =" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--base", "nowhere/at/all"], "there is no such folder"),
        (["--products", "missing.jsonl"], "missing.jsonl"),
        (["--reviews", "missing.jsonl"], "missing.jsonl"),
        (["--rate", "1e30"], "loss is"),
    ],
)
def test_what_can_be_put_right_is_one_line_and_nothing_is_written(shop: Path, change: list[str], says: str) -> None:
    result = _run(shop, "out", "--measure", "0", *change)
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (shop / "out").exists()
    assert (shop / "out-run").exists() is (says == "loss is")


def test_a_folder_with_other_things_is_not_replaced(shop: Path) -> None:
    (shop / "out").mkdir()
    (shop / "out" / "thesis.txt").write_text("mine")
    result = _run(shop, "out", "--measure", "0")
    assert result.exit_code == 1
    assert "holds something else" in result.stderr
    assert [path.name for path in (shop / "out").iterdir()] == ["thesis.txt"]
    assert not (shop / "out-run").exists()
