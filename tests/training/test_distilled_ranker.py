"""A ranker of six tiny layers is distilled into four narrower ones, which follow it and are served."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from services.ranker.engine import RankerEngine
from services.ranker.settings import RankerSettings
from tests.training.distillation import check_goes_on, check_refused
from tests.training.tiny import long_bert_tensors, write_tokenizer
from tests.training.tiny_data import write_shops
from training.bundles import Trained, write_embedder, write_ranker
from training.cross_encoder import CrossEncoder
from training.distil_lists import ListMaker, ListShape, ListStream
from training.distil_rows import DistilRows
from training.distilled_ranker import distil_shipped_ranker
from training.encoder import build_bert
from training.near_products import near_by_words
from training.onnx_weights import read_onnx_bert
from training.ranker_distillation import DistillationSettings, DistilRound, logit_loss, state_loss
from training.vocabulary import Trimmed, trim
from vitrine.bundle import Bundle, Calibration, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import RankCandidate

_SETTINGS = DistillationSettings(
    vespa=6,
    made=30,
    drawn=24,
    feed_forward=32,
    weighed=8,
    held=24,
    shape=ListShape(nearest=16, close=4, far=1),
    lists=6,
    parts=2,
    warmup_steps=4,
    rounds=(DistilRound("vectors", 5e-3, 30, 1.0), DistilRound("words", 3e-3, 8, 0.0)),
)
_CALIBRATION = Calibration(scale=2, bias=-1, evidence={"logit": 0.5, "dense": 1.0})


def _write_teacher(folder: Path, trimmed: Trimmed, layers: int = 6) -> Path:
    torch.manual_seed(0)
    tensors = CrossEncoder(build_bert(long_bert_tensors(len(trimmed.pieces), layers), 4, 1)).tensors()
    tensors["head.out.weight"] = tensors["head.out.weight"] * 30  # logits that differ
    trained = Trained(tensors, 4, 1e-12, trimmed.tokenizer_json, {"steps": ["made up"], "ledger": []}, {})
    write_ranker(folder, trained, "tiny", "3", _CALIBRATION, int8=True)
    return folder


def _write_near(folder: Path, trimmed: Trimmed) -> Path:
    trained = Trained(long_bert_tensors(len(trimmed.pieces), 1), 4, 1e-12, trimmed.tokenizer_json, {}, {})
    write_embedder(folder, trained, "tiny", "3", {"query": "? ", "document": ""}, int8=True)
    return folder


@dataclass(frozen=True)
class _Place:
    """Where all that distillation reads and writes lies."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def distil(self, settings: DistillationSettings = _SETTINGS) -> Bundle:
        f = self.folder
        return distil_shipped_ranker(f / "data", f / "teacher", f / "embedder", self.out, f / "run", settings)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> _Place:
    """Shops, teacher and embedder, and the student distilled."""
    folder = tmp_path_factory.mktemp("distilled")
    trimmed = trim(write_tokenizer(folder), ["red blue phone case 手机 红色"])
    write_shops(folder / "data")
    _write_teacher(folder / "teacher", trimmed)
    _write_teacher(folder / "two-layers", trimmed, 2)
    _write_near(folder / "embedder", trimmed)
    _write_near(folder / "other-pieces", trim(write_tokenizer(folder), ["red 手机"], also=["▁unused"]))
    made = _Place(folder)
    made.distil()
    return made


def test_the_student_follows_its_teacher_better_than_untrained(place: _Place) -> None:
    figures = load_bundle(place.out, "ranker").manifest.metrics["follows_teacher"]
    before, after = figures["before"], figures["after"]
    assert set(before) == {"en rmse", "en correlation", "zh rmse", "zh correlation"}
    for language in ("en", "zh"):
        assert after[f"{language} rmse"] < 0.8 * before[f"{language} rmse"]
        assert after[f"{language} correlation"] > before[f"{language} correlation"]


async def test_what_it_writes_is_served(place: _Place) -> None:
    weights = read_onnx_bert(place.out / "model.onnx")
    assert weights.tensors["encoder.layer.3.intermediate.dense.weight"].shape == (32, 32)
    assert "encoder.layer.4.intermediate.dense.weight" not in weights.tensors
    manifest = load_bundle(place.out, "ranker").manifest
    assert manifest.calibration == _CALIBRATION
    assert manifest.lineage["fewer_layers_of"] == load_bundle(place.folder / "teacher", "ranker").manifest.digest
    assert manifest.lineage["steps"][0] == "made up"
    assert (manifest.lineage["precision"], "ledger" in manifest.lineage) == ("int8", False)
    budget = ComputeBudget(threads=1)
    engine = await RankerEngine.open(RankerSettings(bundle=place.out), budget)
    try:
        await engine.self_test()
        asked = [RankCandidate(f"p{n}", text) for n, text in enumerate(["red phone", "blue case", "红色手机"])]
        ranking = await engine.rank("red phone", asked, deadline=Deadline.after(60))
    finally:
        await engine.close()
        await budget.close()
    assert {one.id for one in ranking.ranked} == {"p0", "p1", "p2"}
    assert len({one.score for one in ranking.ranked}) == 3


def test_the_same_command_takes_what_is_there_and_another_is_refused(place: _Place) -> None:
    made = load_bundle(place.out, "ranker")
    check_goes_on(place.distil, lambda: place.distil(replace(_SETTINGS, seed=8)), made, place.folder / "run")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--teacher", "{place}/nowhere"), "no bundle at {place}/nowhere"),
        (("--teacher", "{place}/embedder"), "is for the embedder"),
        (("--teacher", "{place}/two-layers"), "{place}/two-layers has 2 layers"),
        (("--embedder", "{place}/teacher"), "is for the ranker"),
        (("--embedder", "{place}/other-pieces"), "{place}/other-pieces reads other pieces"),
        (("--out", "{place}/data"), "{place}/data holds something else"),
        (("--data-dir", "{place}/out"), "cannot read {place}/out/icecat/products.jsonl.gz"),
        ((), "vespa_products holds 8 products, and 12000 are needed"),
    ],
)
def test_wrong_input_is_named_in_one_line(place: _Place, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    given = ["--teacher", f"{place.folder}/teacher", "--embedder", f"{place.folder}/embedder"]
    check_refused("shipped-ranker", place.folder, given, options, says, tmp_path)


def _rows(products: int, queries: int) -> DistilRows:
    rng = np.random.default_rng(0)
    shown = [rng.integers(4, 40, rng.integers(2, 9)).tolist() for _ in range(products)]
    asked = [rng.integers(4, 40, rng.integers(1, 4)).tolist() for _ in range(queries)]
    return DistilRows(shown, shown, asked, rng.integers(0, products, queries), np.zeros(products, dtype=bool))


@pytest.fixture
def stream(tmp_path: Path) -> Callable[..., ListStream]:
    rows, shape = _rows(20, 9), ListShape(nearest=8, close=3, far=2)
    near = np.argsort(np.random.default_rng(1).random((9, 20)), axis=1)[:, :8]
    tokenizer = trim(write_tokenizer(tmp_path), ["red"]).tokenizer()
    maker = ListMaker(rows, near, shape, tokenizer, 1)
    return lambda: ListStream(maker, np.arange(9), (7, 1), 3, 4, 2)


def test_a_round_goes_on_with_the_lists_that_it_would_have_had(stream: Callable[..., ListStream]) -> None:
    batches = list(stream().starting_at(0))
    assert len(batches) == len(stream()) == 6
    assert batches[0].pairs[0].shape[0] == 2 * 7
    for again, batch in zip(stream().starting_at(3), batches[3:], strict=True):
        assert torch.equal(again.pairs[0], batch.pairs[0])
        assert again.share == batch.share
    assert not torch.equal(batches[0].pairs[0], batches[2].pairs[0])


def test_words_that_few_products_have_tell_which_are_near() -> None:
    shown = [[4, 5], [4, 6], [4, 7], [4, 8]]
    rows = DistilRows(shown, shown, [[4, 7], [8]], np.array([2, 3]), np.zeros(4, dtype=bool))
    near = near_by_words(rows, np.eye(9, dtype=np.float32), 2)
    assert near[:, 0].tolist() == [2, 3]


def test_logits_that_are_apart_alike_cost_once_and_in_order_twice() -> None:
    goals = torch.tensor([1.0, -1.0, 0.5, 0.0])
    assert float(logit_loss(goals, goals, 2)) == 0
    assert float(logit_loss(goals + 1, goals, 2)) == pytest.approx(1)
    assert float(logit_loss(goals + torch.tensor([1.0, -1.0, 1.0, -1.0]), goals, 2)) == pytest.approx(2)


def test_only_real_tokens_and_every_layer_count_in_the_states() -> None:
    own, goal = torch.zeros(1, 3, 2), torch.ones(1, 3, 2)
    goal[0, 2] = 99
    mask = torch.tensor([[1, 1, 0]])
    assert float(state_loss([own], [goal], mask)) == pytest.approx(1)
    assert float(state_loss([own, own], [goal, 2 * goal], mask)) == pytest.approx(5)
