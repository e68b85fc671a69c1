"""Fine-tuning learns what the labels say, goes on where it was cut off, and keeps the base as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import bert_tensors, write_tokenizer
from tests.training.tiny_shop import write_shop
from training.bases import Base, make_base
from training.embedder_bundle import EmbedderPlan, train_embedder
from training.embedder_fine_tuning import FineTunedEmbedder, FineTuning, fine_tune_embedder
from training.encoder import build_bert
from training.errors import TrainingError
from training.run_folder import RunFolder
from training.sources.files import SourceFiles, open_sources
from training.vocabulary import trim
from vitrine.bundle import load_bundle

_FAST = FineTuning(
    label_free=40, lexicon=4, epochs=2, batch=16, learning_rate=3e-3, max_tokens=24, train_words=True, held_out=0.3
)

Tune = Callable[..., FineTunedEmbedder]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    trimmed = trim(
        write_tokenizer(tmp_path_factory.mktemp("base")), ["red blue phone watch case acme k 0123456789 手机"]
    )
    model = build_bert(bert_tensors(len(trimmed.pieces)), heads=2, pad_id=1)
    return make_base(model, trimmed.tokenizer(), source="tiny", prompts={"query": "? ", "document": ""})


@pytest.fixture
def tune(tmp_path: Path, base: Base) -> Tune:
    products, judgements = write_shop(tmp_path)

    def run(settings: FineTuning, folder: str = "run", report: Callable[[int, float], None] | None = None) -> object:
        sources = open_sources(SourceFiles((products,), judgements=(judgements,)), tmp_path / folder)
        try:
            return fine_tune_embedder(settings, sources, base, RunFolder(tmp_path / folder, "test", {}), report)
        finally:
            sources.close()

    return run  # type: ignore[return-value]


def _weights(tuned: FineTunedEmbedder) -> torch.Tensor:
    return torch.cat([values.flatten() for values in tuned.base.model.state_dict().values()])


@pytest.mark.parametrize("objective", ["softmax", "click"])
def test_held_out_queries_are_ordered_better(tune: Tune, base: Base, objective: str) -> None:
    before = {name: values.clone() for name, values in base.model.state_dict().items()}
    reported: list[tuple[int, float]] = []
    tuned = tune(replace(_FAST, objective=objective, epochs=3), report=lambda *told: reported.append(told))
    assert tuned.decisive == "judged ndcg_10"
    assert tuned.after["judged"]["ndcg_10"] > tuned.before["judged"]["ndcg_10"] + 0.1
    assert [epoch for epoch, _ in reported] == [1, 2, 3]
    assert reported[-1][1] == tuned.value == tuned.after["judged"]["ndcg_10"]
    assert tuned.pairs["labelled"] > 0 < tuned.pairs["lexicon"]
    assert all(torch.equal(values, before[name]) for name, values in base.model.state_dict().items())
    assert tuned.base.lineage["steps"] == [f"fine-tune on {objective} pairs"]


def test_zero_labels_work_from_the_catalogue_alone(tune: Tune) -> None:
    tuned = tune(replace(_FAST, labels=0, epochs=1))
    assert tuned.pairs["labelled"] == 0
    assert tuned.pairs["label_free"] > 10
    assert tuned.after["label_free"]["queries"] > 10


def test_a_run_cut_off_goes_on_and_ends_with_the_same_weights(tune: Tune) -> None:
    whole = tune(_FAST, "whole")

    def cut(epoch: int, value: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(_FAST, "cut", cut)
    resumed = tune(_FAST, "cut")
    assert torch.equal(_weights(whole), _weights(resumed))
    assert resumed.after == whole.after
    assert resumed.pairs == whole.pairs


def test_mining_every_epoch_makes_new_pairs(tune: Tune, tmp_path: Path) -> None:
    tune(replace(_FAST, mining="every-epoch"))
    first, second = ((tmp_path / "run" / f"pairs-{number}.jsonl").read_text() for number in (1, 2))
    assert first != second


def test_layers_are_dropped_and_weights_averaged_with_the_bases(tune: Tune, base: Base) -> None:
    still = tune(replace(_FAST, epochs=1, after_share=0.0), "still")
    assert torch.equal(_weights(still), torch.cat([v.flatten() for v in base.model.state_dict().values()]))
    thin = tune(replace(_FAST, epochs=1, layers_kept=1), "thin")
    assert thin.base.model.config.num_hidden_layers == 1
    assert base.model.config.num_hidden_layers == 2


def test_nothing_to_learn_from_and_a_lost_loss_are_named(tune: Tune) -> None:
    with pytest.raises(TrainingError, match="no pair to learn from"):
        tune(replace(_FAST, labels=0, label_free=0, lexicon=0), "empty")
    with pytest.raises(TrainingError, match="lower the learning rate"):
        tune(replace(_FAST, temperature=0.0), "nan")


def test_the_whole_command_writes_a_bundle_and_refuses_another_base(tmp_path: Path, base: Base) -> None:
    from training.bases import save_base

    products, judgements = write_shop(tmp_path)
    save_base(base, tmp_path / "base")
    files = SourceFiles((products,), judgements=(judgements,))
    plan = EmbedderPlan(files, str(tmp_path / "base"), tuning=replace(_FAST, epochs=1), int8=False)
    bundle, tuned, _ = train_embedder(plan, tmp_path / "out", tmp_path / "run")
    card = load_bundle(tmp_path / "out", "embedder").manifest
    assert card.digest == bundle.manifest.digest
    assert card.prompts == {"query": "? ", "document": ""}
    assert card.metrics["held_out"]["after"] == tuned.after
    save_base(tuned.base, tmp_path / "other")
    with pytest.raises(TrainingError, match="was made with base"):
        train_embedder(replace(plan, base=str(tmp_path / "other")), tmp_path / "out", tmp_path / "run")
