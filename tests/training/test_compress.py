"""A bundle is made smaller step by step, its ledger tells the cost, and what loses too much is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.training.tiny import bert_tensors, write_tokenizer
from training.bundles import Trained, write_embedder, write_ranker
from training.compress import CompressionSettings, Texts, compress
from training.cross_encoder import CrossEncoder
from training.encoder import build_bert
from training.errors import TrainingError
from training.int8_choice import PER_TENSOR, PER_TOKEN, STATIC
from training.repair import RepairSettings
from training.sources.files import SourceFiles
from training.vocabulary import Trimmed, trim
from vitrine.bundle import Calibration, load_bundle

_SETTINGS = CompressionSettings(lists=24, repair=RepairSettings(batch_tokens=256, rate=1e-3))
Make = Callable[[], Path]


@pytest.fixture
def shop(tmp_path: Path) -> SourceFiles:
    """Phones and cases in both languages, with judgements."""
    colours = (("red", "红色"), ("blue", "蓝色"))
    rows, judged = [], []
    for number in range(24):
        english, chinese = colours[number % 2]
        thing = "phone" if number % 4 < 2 else "case"
        title = f"{english} {thing} {number}" if number % 3 else f"{chinese}手机 {number}"
        rows.append({"id": f"p{number}", "title": title, "language": "en" if number % 3 else "zh"})
        judged.append({"query": "red phone", "product_id": f"p{number}", "grade": int("red phone" in title)})
    products, judgements = tmp_path / "products.jsonl", tmp_path / "judgements.jsonl"
    for path, lines in ((products, rows), (judgements, judged)):
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return SourceFiles((products,), judgements=(judgements,))


def _trimmed(tmp_path: Path) -> Trimmed:
    return trim(write_tokenizer(tmp_path), ["red blue phone case 手机"], also=["▁слово", "▁unused"])


def _tensors(trimmed: Trimmed, layers: int) -> dict[str, np.ndarray]:
    tensors = bert_tensors(len(trimmed.pieces), layers=layers)
    positions = tensors["embeddings.position_embeddings.weight"]
    return {**tensors, "embeddings.position_embeddings.weight": np.tile(positions, (4, 1))}


@pytest.fixture
def embedder(tmp_path: Path) -> Path:
    trimmed = _trimmed(tmp_path)
    trained = Trained(_tensors(trimmed, 4), 4, 1e-12, trimmed.tokenizer_json, {"base": "tiny"}, {})
    write_embedder(tmp_path / "embedder", trained, "tiny", "3", {"query": "? ", "document": ""}, int8=False)
    return tmp_path / "embedder"


@pytest.fixture
def ranker(tmp_path: Path) -> Path:
    trimmed = _trimmed(tmp_path)
    tensors = CrossEncoder(build_bert(_tensors(trimmed, 2), 4, 1)).tensors()
    trained = Trained(tensors, 4, 1e-12, trimmed.tokenizer_json, {"base": "tiny"}, {})
    calibration = Calibration(scale=2, bias=-1, evidence={"logit": 0.5, "dense": 1.0})
    write_ranker(tmp_path / "ranker", trained, "tiny", "3", calibration, int8=True)
    return tmp_path / "ranker"


def test_each_step_of_an_embedder_is_in_its_ledger(tmp_path: Path, shop: SourceFiles, embedder: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("red blue phone case\n手机 红色\n", encoding="utf-8")
    settings = replace(_SETTINGS, layers=2, feed_forward=32, heads=2)
    out, run = tmp_path / "out", tmp_path / "run"
    bundle, entries = compress(str(embedder), "", shop, Texts((words,)), out, run, settings)
    names = [entry.step for entry in entries]
    assert names[0] == "uncompressed, float32"
    assert names[2:5] == ["2 layers", "32 feed-forward units", "2 heads"]
    assert names[5:] == [PER_TOKEN, PER_TENSOR, STATIC]
    assert [entry.size_mb for entry in entries[:5]] == sorted((entry.size_mb for entry in entries[:5]), reverse=True)
    assert entries[0].figures["mean cosine"] == pytest.approx(1, abs=1e-4)
    # Pieces that no text uses change no vector.
    assert entries[1].figures["mean cosine"] == pytest.approx(1, abs=1e-4)
    assert set(entries[5].figures) == {
        "mean cosine",
        "top-10 overlap",
        "cosine alone and in a batch",
        "judged nDCG@10",
        "judged AUC",
    }
    assert entries[5].figures["cosine alone and in a batch"] > 0.9999
    manifest = load_bundle(out, "embedder").manifest
    assert [line["step"] for line in manifest.lineage["ledger"]] == names
    assert manifest.lineage["int8_kept"] in names[5:]
    assert (manifest.name, manifest.version, manifest.prompts["query"]) == ("tiny", "3", "? ")
    # The same command takes what the run folder holds and ends with the same bundle.
    log = (run / "log.jsonl").read_text(encoding="utf-8").count("seconds")
    again, _ = compress(str(embedder), "", shop, Texts((words,)), out, run, replace(settings))
    assert again.manifest.files["tokenizer.json"] == bundle.manifest.files["tokenizer.json"]
    assert (run / "log.jsonl").read_text(encoding="utf-8").count("seconds") == log
    with pytest.raises(TrainingError, match="was made with"):
        compress(str(embedder), "", shop, Texts((words,)), out, run, replace(settings, layers=1))


def test_repair_brings_a_pruned_embedder_back(tmp_path: Path, shop: SourceFiles, embedder: Path) -> None:
    def cosine(name: str, epochs: int) -> float:
        repair = replace(_SETTINGS.repair, epochs=epochs, rate=1e-3 if epochs > 1 else 1e-12)
        settings = replace(_SETTINGS, layers=3, int8="none", repair=repair)
        _, entries = compress(str(embedder), "", shop, Texts(), tmp_path / name, tmp_path / f"{name}-run", settings)
        return entries[-1].figures["mean cosine"]

    assert cosine("long", 30) > cosine("short", 1)


def test_a_ranker_keeps_its_calibration(tmp_path: Path, shop: SourceFiles, ranker: Path) -> None:
    settings = replace(_SETTINGS, layers=1, int8="dynamic")
    _, entries = compress(str(ranker), "", shop, Texts(), tmp_path / "out", tmp_path / "run", settings)
    manifest = load_bundle(tmp_path / "out", "ranker").manifest
    assert manifest.calibration is not None
    assert manifest.calibration.evidence == {"logit": 0.5, "dense": 1.0}
    assert [entry.step for entry in entries] == ["uncompressed, float32", "1 layers", PER_TOKEN]
    assert entries[0].figures["Kendall tau"] == 1.0
    assert "judged nDCG@10" in entries[-1].figures
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    assert {one.name for one in session.get_inputs()} == {"input_ids", "attention_mask", "token_type_ids"}


def test_float32_bundles_can_be_trained_further(tmp_path: Path, shop: SourceFiles, ranker: Path) -> None:
    from training.bases import load_base

    out = tmp_path / "out"
    compress(str(ranker), "", shop, Texts(), out, tmp_path / "run", replace(_SETTINGS, layers=1, int8="none"))
    base = load_base(str(out))
    assert base.model.config.num_hidden_layers == 1
    assert base.head["head.out.weight"].shape == (1, 32)


def test_what_loses_too_much_is_refused_and_leaves_nothing(tmp_path: Path, shop: SourceFiles, embedder: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(TrainingError, match=r"step '1 layers' loses .* more than --max-loss 0"):
        compress(str(embedder), "", shop, Texts(), out, tmp_path / "run", replace(_SETTINGS, layers=1, max_loss=0.0))
    assert not out.exists()


def test_a_vocabulary_that_loses_a_language_is_refused(tmp_path: Path, shop: SourceFiles, embedder: Path) -> None:
    manifest = json.loads((embedder / "bundle.json").read_text(encoding="utf-8"))
    manifest["languages"] = ["zh", "en", "ru"]
    (embedder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    words, russian = tmp_path / "words.txt", tmp_path / "ru.txt"
    words.write_text("red phone\n", encoding="utf-8")
    russian.write_text("слово слово\n", encoding="utf-8")
    texts = Texts((words,), {"ru": russian})
    with pytest.raises(TrainingError, match="loses the language 'ru'"):
        compress(str(embedder), "", shop, texts, tmp_path / "out", tmp_path / "run", _SETTINGS)
    with pytest.raises(TrainingError, match="--language-texts ru=FILE"):
        compress(str(embedder), "", shop, Texts((words,)), tmp_path / "out", tmp_path / "run", _SETTINGS)
    empty = tmp_path / "empty.txt"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="holds no text"):
        compress(str(embedder), "", shop, Texts((empty,)), tmp_path / "out", tmp_path / "other", _SETTINGS)
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "out").exists()
