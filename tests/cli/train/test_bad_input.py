"""Bad input to any training command: one line that names what is wrong, exit status 1, nothing written or changed."""

import hashlib
import json
import random
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from transformers import BertConfig
from typer.testing import CliRunner, Result

from cli.main import app
from tests.training.tiny import write_tokenizer
from tests.training.tiny_shop import write_shop
from training.backbones import build_backbone
from training.bases import make_base, save_base
from training.vocabulary import trim

# Small, so that what should be refused and is not does not take long.
_FAST = {
    "embedder": (
        "--label-free",
        "20",
        "--lexicon",
        "2",
        "--epochs",
        "1",
        "--batch",
        "16",
        "--max-tokens",
        "16",
        "--float32",
    ),
    "ranker": ("--made-lists", "0", "--epochs", "1", "--max-tokens", "16", "--held-out", "0.45", "--float32"),
    "pretrain": ("--measure", "0", "--batch-tokens", "128"),
    "compress": ("--layers", "1", "--lists", "20", "--int8", "none"),
}
_TRAINING = tuple(_FAST)
_LEARN_FROM_LABELS = ("embedder", "ranker")


@pytest.fixture(scope="session")
def bundle(make_embedder_bundle: Callable[..., Path]) -> Path:
    return make_embedder_bundle()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose tokenizer has a mask, for pre-training."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = trim(write_tokenizer(folder), ["red blue phone case 手机"], also=["<mask>"]).tokenizer()
    config = BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, pad_token_id=1
    )
    save_base(make_base(build_backbone(config), tokenizer, source="tiny"), folder / "base")
    return folder / "base"


@pytest.fixture
def shop(tmp_path: Path, bundle: Path, base: Path) -> Path:
    """A folder with what every command reads, all of it sound: products, labels, reviews, a bundle, a base."""
    write_shop(tmp_path)
    rng = random.Random(0)
    reviews = [{"text": " ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(4))} for _ in range(40)]
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reviews))
    shutil.copytree(bundle, tmp_path / "bundle")
    shutil.copytree(base, tmp_path / "base")
    return tmp_path


def _arguments(shop: Path, command: str) -> list[str]:
    models = {
        "embedder": ("--base", f"{shop}/bundle"),
        "ranker": ("--base", f"{shop}/bundle", "--embedder", f"{shop}/bundle"),
        "pretrain": ("--base", f"{shop}/base", "--reviews", f"{shop}/reviews.jsonl"),
        "compress": ("--bundle", f"{shop}/bundle"),
    }[command]
    files = ("--products", f"{shop}/products.jsonl", "--judgements", f"{shop}/judgements.jsonl")
    return [command, *models, *files, "--out", f"{shop}/out", "--run-dir", f"{shop}/run", *_FAST[command]]


def _train(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["train", *arguments])


def _content(folder: Path) -> dict[str, str]:
    """Every file and folder below, with its content's digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def _refused(folder: Path, *arguments: str) -> str:
    """The one line that a command ends with, when it ends as it should."""
    before = _content(folder)
    done = _train(*arguments)
    assert done.exit_code == 1, (done.output, done.exception)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert _content(folder) == before
    return line


@pytest.mark.parametrize("command", _TRAINING)
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.jsonl", None, "missing.jsonl"),
        ("empty.jsonl", b"", "empty.jsonl"),
        ("cut.parquet", b"PAR1 and no more", "cut.parquet"),
        ("cut.jsonl", b'{"id": "p1", "title": "red ph', "cut.jsonl"),
        ("words.docx", b"red phone", "words.docx"),
    ],
)
def test_a_catalogue_that_cannot_be_read(shop: Path, command: str, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (shop / name).write_bytes(content)
    assert says in _refused(shop, *_arguments(shop, command), "--products", f"{shop}/{name}")


@pytest.mark.parametrize("command", ["embedder", "ranker", "compress"])
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "judgements.jsonl"),
        ([{"query": "red phone", "product_id": "nowhere", "grade": 1}], "'nowhere'"),
        ([{"query": "red phone", "product_id": "p00", "grade": "good"}], "grade"),
        ([{"query": "red phone", "product_id": "p00"}], "grade"),
    ],
)
def test_labels_that_cannot_be_used(shop: Path, command: str, rows: list[object], says: str) -> None:
    (shop / "judgements.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert says in _refused(shop, *_arguments(shop, command))


@pytest.mark.parametrize("command", _LEARN_FROM_LABELS)
def test_labels_of_one_class(shop: Path, command: str) -> None:
    rows = [{"query": f"red phone {n % 9}", "product_id": f"p{n:02}", "grade": 2} for n in range(48)]
    (shop / "judgements.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "judgements" in _refused(shop, *_arguments(shop, command))


@pytest.mark.parametrize("command", _TRAINING)
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere/at/all", "nowhere/at/all"),
        ("intfloat/multilingual-e5-small", "--revision"),
        ("packaged:gpt", "packaged:gpt"),
        ("{shop}/pickled", "safetensors"),
        ("{shop}/empty", "{shop}/empty"),
    ],
)
def test_a_base_that_cannot_be_had(shop: Path, command: str, source: str, says: str) -> None:
    (shop / "empty").mkdir()
    shutil.copytree(shop / "base", shop / "pickled")
    (shop / "pickled" / "model.safetensors").rename(shop / "pickled" / "pytorch_model.bin")
    option = "--bundle" if command == "compress" else "--base"
    line = _refused(shop, *_arguments(shop, command), option, source.format(shop=shop))
    assert says.format(shop=shop) in line


@pytest.mark.parametrize("command", _TRAINING)
@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_bundle_whose_digest_does_not_match(shop: Path, command: str, file: str) -> None:
    with (shop / "bundle" / file).open("ab") as opened:
        opened.write(b" ")
    option = "--bundle" if command == "compress" else "--base"
    line = _refused(shop, *_arguments(shop, command), option, f"{shop}/bundle")
    assert f"{shop}/bundle" in line
    assert file in line


@pytest.mark.parametrize("command", _TRAINING)
@pytest.mark.parametrize("option", ["--out", "--run-dir"])
def test_a_place_that_is_a_file(shop: Path, command: str, option: str) -> None:
    (shop / "taken").write_text("mine")
    assert f"{shop}/taken" in _refused(shop, *_arguments(shop, command), option, f"{shop}/taken")


@pytest.mark.parametrize("command", _TRAINING)
def test_a_place_with_other_things_in_it(shop: Path, command: str) -> None:
    (shop / "out").mkdir()
    (shop / "out" / "thesis.txt").write_text("mine")
    assert f"{shop}/out" in _refused(shop, *_arguments(shop, command))


@pytest.mark.parametrize("command", _TRAINING)
def test_a_run_folder_of_another_run(shop: Path, command: str) -> None:
    (shop / "run").mkdir()
    made_by = shop / "run" / "run.json"
    made_by.write_text('{"command": "cook"}')
    assert "give another folder" in _refused(shop, *_arguments(shop, command))
    made_by.write_text('{"comm')
    assert "run.json" in _refused(shop, *_arguments(shop, command))


def _in_service(shop: Path, command: str) -> dict[str, str]:
    """Puts what an earlier run made in the place that the command is to write to; its content."""
    if command == "pretrain":
        shutil.copytree(shop / "base", shop / "out")
    else:
        shutil.copytree(shop / "bundle", shop / "out")
    return _content(shop / "out")


@pytest.mark.parametrize("command", _TRAINING)
def test_a_loss_that_is_not_a_number_leaves_the_bundle_that_is_there(shop: Path, command: str) -> None:
    kept = _in_service(shop, command)
    done = _train(*_arguments(shop, command), "--rate", "1e30")
    assert done.exit_code == 1, (done.output, done.exception)
    # After one step there is no other loss to see, but figures of the model.
    assert re.search("(loss is (nan|inf)|is not a number).*lower", done.stderr.splitlines()[-1])
    assert _content(shop / "out") == kept
    assert not [path for path in shop.rglob("*") if path.name.endswith((".tmp", ".new", ".old"))]


@pytest.mark.parametrize("command", ["embedder", "pretrain"])
def test_a_checkpoint_cut_short(shop: Path, command: str) -> None:
    assert _train(*_arguments(shop, command)).exit_code == 0
    for path in (shop / "run").glob("*.checkpoint"):
        path.write_bytes(path.read_bytes()[:200])
    kept = _content(shop / "out")
    done = _train(*_arguments(shop, command))
    (line,) = done.stderr.splitlines()
    assert done.exit_code == 1
    assert "checkpoint is cut short" in line
    assert "delete it" in line
    assert _content(shop / "out") == kept


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Writing more to a file fails in the kernel, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("command", _TRAINING)
@pytest.mark.parametrize("size", [10_000, 40_000])
def test_a_disk_that_is_full_leaves_the_bundle_that_is_there(shop: Path, command: str, size: int) -> None:
    kept = _in_service(shop, command)
    with _files_of_at_most(size):
        done = _train(*_arguments(shop, command))
    assert done.exit_code == 1, (done.output, done.exception)
    assert re.match("error: .*(cannot write|too large|free the place)", done.stderr.splitlines()[-1])
    assert _content(shop / "out") == kept
