"""An embedder of six tiny layers is distilled into four, which follow it and are served."""

import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from tests.training.distillation import check_goes_on, check_refused
from tests.training.tiny import long_bert_tensors, write_tokenizer
from tests.training.tiny_data import write_shops
from training.bases import load_base
from training.bundles import Trained, write_embedder
from training.distilled_embedder import distil_shipped_embedder
from training.embedder_distillation import EmbedderDistillation, EmbedderRound
from training.onnx_weights import read_onnx_bert
from training.shop_sentences import description_sentences, word_window
from training.vocabulary import Trimmed, trim
from vitrine.bundle import Bundle, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import InputType

_SETTINGS = EmbedderDistillation(
    vespa=6,
    made=30,
    drawn=24,
    held=24,
    batch_tokens=256,
    precision="no",
    rounds=(EmbedderRound(5e-3, 12, 1.0, sentences=False), EmbedderRound(1e-3, 1, 0.0, sentences=True)),
)
_PROMPTS = {"query": "? ", "document": ""}


def _write_teacher(folder: Path, trimmed: Trimmed, layers: int) -> Path:
    tensors = long_bert_tensors(len(trimmed.pieces), layers)
    trained = Trained(tensors, 4, 1e-12, trimmed.tokenizer_json, {"steps": ["made up"], "ledger": []}, {})
    write_embedder(folder, trained, "tiny", "3", _PROMPTS, int8=True)
    return folder


@dataclass(frozen=True)
class _Place:
    """Where all that distillation reads and writes lies."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def distil(self, settings: EmbedderDistillation = _SETTINGS) -> Bundle:
        f = self.folder
        return distil_shipped_embedder(f / "data", f / "teacher", self.out, f / "run", settings, f / "float32")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> _Place:
    """Shops and teacher, and the student distilled."""
    folder = tmp_path_factory.mktemp("distilled")
    trimmed = trim(write_tokenizer(folder), ["red blue phone case 手机 红色"])
    write_shops(folder / "data")
    _write_teacher(folder / "teacher", trimmed, 6)
    _write_teacher(folder / "two-layers", trimmed, 2)
    made = _Place(folder)
    made.distil()
    return made


def test_the_student_follows_its_teacher_better_than_untrained(place: _Place) -> None:
    figures = load_bundle(place.out, "embedder").manifest.metrics["follows_teacher"]
    before, after = figures["before"], figures["after"]
    assert set(before) == {"en cosine", "zh cosine"}
    for language in before:
        assert 1 - after[language] < 0.6 * (1 - before[language])


async def test_what_it_writes_is_served(place: _Place) -> None:
    tensors = read_onnx_bert(place.out / "model.onnx").tensors
    assert "encoder.layer.3.intermediate.dense.weight" in tensors
    assert "encoder.layer.4.intermediate.dense.weight" not in tensors
    teacher = load_bundle(place.folder / "teacher", "embedder")
    manifest = load_bundle(place.out, "embedder").manifest
    assert manifest.lineage["fewer_layers_of"] == teacher.manifest.digest
    assert manifest.lineage["steps"][0] == "made up"
    assert (manifest.lineage["precision"], "ledger" in manifest.lineage) == ("int8", False)
    assert (manifest.prompts, manifest.name, manifest.version) == (_PROMPTS, "tiny-4-layers", "3")
    log = (place.folder / "run" / "log.jsonl").read_text(encoding="utf-8")
    assert [f'"distil-layers-{number}"' in log for number in (1, 2, 3)] == [True, True, False]
    assert load_bundle(place.folder / "float32", "embedder").manifest.lineage["precision"] == "float32"
    budget = ComputeBudget(threads=1)
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=place.out), budget)
    try:
        await engine.self_test()
        found = await engine.embed(["red phone", "红色手机"], input_type=InputType.QUERY, deadline=Deadline.after(60))
    finally:
        await engine.close()
        await budget.close()
    assert found.vectors.shape == (2, 32)


def test_what_is_embedded_stays_as_it_was(place: _Place) -> None:
    """Words that no text of the training holds would else stand beside layers that expect others."""
    words = "embeddings.word_embeddings.weight"
    teacher, student = (load_base(str(place.folder / name)).model.state_dict()[words] for name in ("teacher", "out"))
    assert np.array_equal(teacher.numpy(), student.numpy())


def test_the_same_command_takes_what_is_there_and_another_is_refused(place: _Place) -> None:
    made = load_bundle(place.out, "embedder")
    check_goes_on(place.distil, lambda: place.distil(replace(_SETTINGS, seed=8)), made, place.folder / "run")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--teacher", "{place}/nowhere"), "no bundle at {place}/nowhere"),
        (("--teacher", "{place}/two-layers"), "{place}/two-layers has 2 layers"),
        (("--out", "{place}/data"), "{place}/data holds something else"),
        (("--data-dir", "{place}/out"), "cannot read {place}/out/icecat/products.jsonl.gz"),
        ((), "vespa_products holds 8 products, and 12000 are needed"),
    ],
)
def test_wrong_input_is_named_in_one_line(place: _Place, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    given = ["--four-layers", "--teacher", f"{place.folder}/teacher"]
    check_refused("shipped-embedder", place.folder, given, options, says, tmp_path)


def test_a_teacher_without_a_student_is_refused(place: _Place, tmp_path: Path) -> None:
    given = ["--data-dir", f"{place.folder}/data", "--teacher", f"{place.folder}/teacher", "--out", f"{tmp_path}/out"]
    done = CliRunner().invoke(app, ["train", "shipped-embedder", *given])
    assert (done.exit_code, "--teacher is for --four-layers" in done.stderr) == (1, True)


def test_a_prompt_reads_as_it_does_before_a_text(place: _Place) -> None:
    """The space after it is a piece by itself only where no text follows."""
    base = load_base(str(place.folder / "teacher"))
    own = base.tokenizer.encode("red phone", add_special_tokens=False).ids
    assert base.prompted("query", [own]) == [base.tokenizer.encode("? red phone").ids]
    assert base.prompted("document", [own]) == [base.tokenizer.encode("red phone").ids]


def test_sentences_are_those_of_descriptions_each_once_and_no_heading(place: _Place) -> None:
    assert description_sentences(place.folder / "data") == ["a wooden toy for children.", "red, blue and green."]


def test_a_window_is_some_words_in_a_row() -> None:
    sentence = "a wooden toy for small children and their parents"
    drawn = {word_window(sentence, random.Random(seed)) for seed in range(200)}
    assert all(f" {window} " in f" {sentence} " for window in drawn)
    assert {window.count(" ") + 1 for window in drawn} == {1, 2, 3, 4, 5, 6}
