"""A ranker fine-tuned on a tiny shop: it learns what retrieval misses, resumes, and is served."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import GPT2Config

from services.ranker.engine import RankerEngine
from services.ranker.settings import RankerSettings
from tests.training.tiny_shop import write_shop
from training.backbones import build_backbone
from training.bases import load_base, make_base, save_base
from training.candidate_mining import MiningSettings
from training.errors import TrainingError
from training.pair_scores import PairLayout
from training.ranker_bundle import RankerPlan, train_ranker
from training.ranker_fine_tuning import FineTuned, RankerTuning, drawn
from training.ranker_teachers import Teacher, TeacherSpec, standardised, teacher_scores, teacher_spec
from training.run_folder import RunFolder
from training.served_lists import ServedList
from training.sources.files import SourceFiles
from vitrine.bundle import Bundle, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import Evidence, RankCandidate

Trained = tuple[RankerPlan, Path, Bundle, FineTuned]


@pytest.fixture(scope="module")
def embedder(make_embedder_bundle: Callable[..., Path]) -> Path:
    return make_embedder_bundle()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, embedder: Path) -> Trained:
    folder = tmp_path_factory.mktemp("shop")
    products, judgements = write_shop(folder)
    plan = RankerPlan(
        SourceFiles((products,), (), (judgements,)),
        base=str(embedder),
        embedder=embedder,
        mining=MiningSettings(made_lists=0, depth=16),
        tuning=RankerTuning(rate=3e-3, epochs=6, train_words=True, max_tokens=32),
        held_out=0.45,
        int8=False,
    )
    bundle, tuned = train_ranker(plan, folder / "ranker", folder / "run")
    return plan, folder, bundle, tuned


def test_it_learns_what_retrieval_misses(trained: Trained) -> None:
    """Whatever is asked, watches are relevant: no word or vector of the query says so."""
    *_, bundle, tuned = trained
    measured = tuned.figures.ndcg_10
    assert measured["final"] > 0.95
    assert measured["final"] > measured["evidence alone"] + 0.1
    assert measured["final"] > measured["retrieval"] + 0.1
    assert tuned.figures.beats_retrieval
    assert tuned.figures.origin == "labels"
    assert bundle.manifest.metrics["held_out"]["ndcg_10"]["final"] == round(measured["final"], 4)
    assert bundle.manifest.metrics["calibration"]["ece"] < 0.2


def test_the_bundle_is_served_with_its_evidence_and_calibration(trained: Trained) -> None:
    _, folder, bundle, _ = trained

    async def served(runtime: str) -> list[float]:
        budget = ComputeBudget(threads=1)
        settings = RankerSettings(bundle=folder / "ranker", runtime=runtime)  # type: ignore[arg-type]
        engine = await RankerEngine.open(settings, budget)
        await engine.self_test()
        asked = [
            RankCandidate(str(n), f"acme k9 red {kind} 3 inch", 0, Evidence(0.5, 0.5))
            for n, kind in enumerate(("phone", "watch", "case"))
        ]
        ranking = await engine.rank("red phone 9", asked, deadline=Deadline.after(60))
        await engine.close()
        await budget.close()
        assert ranking.ranked[0].id == "1"
        assert ranking.ranked[0].probability > 0.5 > ranking.ranked[1].probability
        return [one.score for one in ranking.ranked]

    assert np.allclose(asyncio.run(served("onnxruntime")), asyncio.run(served("torch")), atol=1e-3)
    assert bundle.manifest.lineage["evidence_of"] == load_bundle(trained[0].embedder, "embedder").manifest.digest


def test_the_same_command_takes_up_what_is_done_and_gives_the_same_bundle(trained: Trained) -> None:
    plan, folder, bundle, _ = trained
    again, tuned = train_ranker(plan, folder / "again", folder / "run")
    assert again.manifest.files == bundle.manifest.files
    assert tuned.figures.ndcg_10 == trained[3].figures.ndcg_10


def test_a_run_folder_of_another_base_is_refused(trained: Trained) -> None:
    plan, folder, *_ = trained
    with pytest.raises(TrainingError, match="was made with base"):
        train_ranker(replace(plan, base=str(folder / "ranker")), folder / "other", folder / "run")
    assert not (folder / "other").exists()


def test_it_goes_on_from_a_rankers_head_and_learns_from_teachers(trained: Trained) -> None:
    plan, folder, *_ = trained
    further = replace(
        plan,
        base=str(folder / "ranker"),
        teachers=(TeacherSpec(str(folder / "ranker")), TeacherSpec(str(plan.embedder), weight=0.2)),
        tuning=replace(plan.tuning, epochs=1, rate=1e-5, loss="pointwise", distil="margin-mse"),
        mining=replace(plan.mining, labels=200),
    )
    bundle, tuned = train_ranker(further, folder / "further", folder / "further-run")
    assert tuned.figures.ndcg_10["base"] > 0.9
    assert tuned.figures.ndcg_10["final"] > 0.9
    assert [one["weight"] for one in bundle.manifest.lineage["teachers"]] == [1.0, 0.2]
    assert len(list((folder / "further-run").glob("teacher-*.npz"))) == 2


def test_without_a_label_the_catalogue_teaches(trained: Trained) -> None:
    plan, folder, *_ = trained
    alone = replace(
        plan,
        mining=replace(plan.mining, labels=0, made_lists=30),
        tuning=replace(plan.tuning, epochs=1, rate=1e-4, loss="listwise"),
    )
    bundle, tuned = train_ranker(alone, folder / "alone", folder / "alone-run")
    assert tuned.figures.origin == "catalogue"
    assert set(tuned.figures.ndcg_10) == {"retrieval", "dense", "evidence alone", "logit", "final"}
    assert bundle.manifest.calibration is not None


def test_a_gpt_learns_and_is_served_as_well(trained: Trained, tmp_path: Path) -> None:
    """Its rows have no opening token, its states are read at the last one."""
    plan, *_ = trained
    base = load_base(plan.base)
    tokenizer = Tokenizer.from_str(base.tokenizer.to_str())
    end = tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = TemplateProcessing(single="$A [SEP]", special_tokens=[("[SEP]", end)])
    config = GPT2Config(vocab_size=60, n_embd=32, n_layer=1, n_head=2, n_positions=64, eos_token_id=end)
    torch.manual_seed(0)
    save_base(make_base(build_backbone(config), tokenizer, source="gpt"), tmp_path / "gpt")
    bundle, tuned = train_ranker(replace(plan, base=str(tmp_path / "gpt")), tmp_path / "ranker", tmp_path / "run")
    assert bundle.manifest.pooling == "last"
    assert tuned.figures.ndcg_10["final"] > tuned.figures.ndcg_10["retrieval"] + 0.1

    async def tested() -> None:
        budget = ComputeBudget(threads=1)
        engine = await RankerEngine.open(RankerSettings(bundle=tmp_path / "ranker"), budget)
        await engine.self_test()
        await engine.close()
        await budget.close()

    asyncio.run(tested())


def test_too_few_lists_end_with_what_to_give(trained: Trained) -> None:
    plan, folder, *_ = trained
    few = replace(plan, mining=replace(plan.mining, labels=4, made_lists=0))
    with pytest.raises(TrainingError, match="give more labels, --made-lists or --held-out"):
        train_ranker(few, folder / "few", folder / "few-run")
    assert not (folder / "few").exists()


def test_a_base_that_is_not_there_leaves_nothing_behind(trained: Trained) -> None:
    plan, folder, *_ = trained
    with pytest.raises(TrainingError, match="nowhere"):
        train_ranker(replace(plan, base=str(folder / "nowhere")), folder / "n", folder / "n-run")
    assert not (folder / "n").exists()
    assert not (folder / "n-run").exists()


def _list(query: str, dense: tuple[float, ...]) -> ServedList:
    size = len(dense)
    return ServedList(
        query,
        "labels",
        tuple(map(str, range(size))),
        tuple(f"{('red', 'blue')[n % 2]} {('phone', 'watch', 'case')[n % 3]}" for n in range(size)),
        dense,
        (0.0,) * size,
        tuple(range(1, size + 1)),
        (0.0,) * size,
        (1.0,) * (size - 1) + (0.0,),
        (True,) * size,
    )


def _teacher(folder: Path, language: str = "", weight: float = 1.0) -> Teacher:
    return Teacher(TeacherSpec(str(folder), language, weight), load_base(str(folder)))


def test_an_ensemble_is_the_weighted_mean_of_standardised_scores(tmp_path: Path, embedder: Path) -> None:
    lists = [_list("red phone", (0.1, 0.5, 0.9)), _list("手表", (0.4, 0.2, 0.3))]
    english = teacher_scores(lists, [_teacher(embedder, "en")], RunFolder(tmp_path / "a", "t", {}))
    np.testing.assert_allclose(english[1], standardised(np.array([0.4, 0.2, 0.3], dtype=np.float32)), atol=1e-6)
    assert english[0].std() == pytest.approx(1.0, abs=1e-5)
    twice = [_teacher(embedder, "en"), _teacher(embedder, weight=3.0)]
    both = teacher_scores(lists, twice, RunFolder(tmp_path / "b", "t", {}))
    np.testing.assert_allclose(both[0], english[0], atol=1e-6)
    assert not np.allclose(both[1], english[1])


def test_a_teacher_is_asked_once(tmp_path: Path, embedder: Path) -> None:
    run = RunFolder(tmp_path, "t", {})
    first = teacher_scores([_list("red phone", (0.1, 0.5, 0.9))], [_teacher(embedder)], run)
    (kept,) = tmp_path.glob("teacher-*.npz")
    np.savez(kept, scores=np.array([3.0, 2.0, 1.0], dtype=np.float32))
    again = teacher_scores([_list("red phone", (0.1, 0.5, 0.9))], [_teacher(embedder)], run)
    assert again[0][0] > again[0][1] > again[0][2]
    assert not np.allclose(first[0], again[0])


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("packaged:e5", TeacherSpec("packaged:e5")),
        ("zh=packaged:e5*0.4", TeacherSpec("packaged:e5", "zh", 0.4)),
        ("en=models/x", TeacherSpec("models/x", "en")),
    ],
)
def test_a_teachers_name_says_language_and_weight(text: str, spec: TeacherSpec) -> None:
    assert teacher_spec(text) == spec


def test_a_teacher_of_weight_0_is_refused() -> None:
    with pytest.raises(TrainingError, match="a weight above 0"):
        teacher_spec("packaged:e5*0")


def test_a_drawn_list_holds_the_best_and_nothing_of_weight_0() -> None:
    import random

    served = _list("red phone", tuple(float(n) for n in range(20)))
    relevance = np.linspace(0, 1, 20, dtype=np.float32)
    rows = drawn(served, relevance, 8, random.Random(1))
    assert len(rows) == len(set(rows)) == 8
    assert rows[:2] == [18, 17]  # the last one has weight 0
    assert rows != drawn(served, relevance, 8, random.Random(2))


def test_pairs_are_laid_out_as_the_ranker_serves_them(embedder: Path) -> None:
    from services.ranker.kept_tokens import KeptTokens
    from services.ranker.pairs import Pair, PairBuilder
    from vitrine.tokenization import Tokenizer

    base = load_base(str(embedder))
    query, text = "red watch phone red blue", "blue case phone watch red blue case phone"
    layout = PairLayout(base.tokenizer, base.pad_id, 12)
    builder = PairBuilder(Tokenizer(load_bundle(embedder, "embedder")), 12, (12 - 3) // 2, KeptTokens(0))
    (pair,) = builder.build(query, [RankCandidate("p", text)])
    assert isinstance(pair, Pair)
    assert layout.rows([query], [text]) == [(pair.ids, pair.type_ids)]


def test_the_log_says_what_was_found(trained: Trained) -> None:
    lines = [json.loads(line) for line in (trained[1] / "run" / "log.jsonl").read_text().splitlines()]
    by_step = {line["step"]: line for line in lines}
    assert by_step["lists"]["labelled_lists"] == 30
    assert by_step["lists"]["products"] == 48
    assert by_step["held-out"]["ndcg_10"]["final"] > by_step["held-out"]["ndcg_10"]["retrieval"]
