"""Pre-training: what is read, what is masked, and that every family learns and resumes."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, GPT2Config, PretrainedConfig, RobertaConfig, T5Config

from tests.training.tiny import write_tokenizer
from training.backbones import build_backbone
from training.bases import Base, make_base
from training.errors import TrainingError
from training.optimisation import Schedule, optimise
from training.pretraining import Masking, Pretrained, PretrainingSettings, pretrain
from training.run_folder import RunFolder
from training.shop_files import ShopItem
from training.shop_text import cleaned_texts, product_texts, review_texts
from training.vocabulary import trim

_BERT = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
    "pad_token_id": 1,
}
_CONFIGS: dict[str, PretrainedConfig] = {
    "bert": BertConfig(**_BERT),
    "roberta": RobertaConfig(**_BERT, bos_token_id=0, eos_token_id=2),
    "gpt": GPT2Config(
        vocab_size=64, n_embd=32, n_layer=1, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=2, pad_token_id=1
    ),
    "t5": T5Config(
        vocab_size=64, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, pad_token_id=1, eos_token_id=2
    ),
}


def _text(rng: random.Random) -> str:
    return " ".join(rng.choice(["red phone", "blue case", "".join(rng.choices("abcdefgh", k=3))]) for _ in range(6))


_TEXTS = [_text(random.Random(number)) for number in range(200)]
_FAST = PretrainingSettings(epochs=4, rate=3e-3, batch_tokens=256, head_batches=20, held_out=0.1, masked=0.3)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return trim(write_tokenizer(tmp_path), ["red blue phone case 手机 红色"], also=["<mask>"]).tokenizer()


def _base(family: str, tokenizer: Tokenizer) -> Base:
    torch.manual_seed(0)
    return make_base(build_backbone(_CONFIGS[family]), tokenizer, source=family)


def _pretrain(folder: Path, family: str, tokenizer: Tokenizer, settings: PretrainingSettings = _FAST) -> Pretrained:
    return pretrain(_base(family, tokenizer), _TEXTS, settings, RunFolder(folder, "pretrain", {}))


def test_cleaning_drops_markup_and_what_says_the_same() -> None:
    texts = ["<p>Red  phone</p>", "RED phone", "case 12", "case 13", "ab", "see https://x.example/a now"]
    assert list(cleaned_texts(texts)) == ["red phone", "case 12", "see now"]


def test_products_and_reviews_give_their_texts(tmp_path: Path) -> None:
    item = ShopItem("1", "Case", "en", brand="Acme", summary="Soft.", attributes={"screen_size": "17"})
    bare = ShopItem("2", "Acme Bag", "en", brand="Acme")
    assert list(product_texts([item, bare])) == ["Acme Case. Soft.", "Acme Case: screen size 17", "Acme Bag"]
    reviews = tmp_path / "reviews.jsonl"
    reviews.write_text(json.dumps({"id": "r", "text": "很好"}) + "\n", encoding="utf-8")
    assert list(review_texts([reviews])) == ["很好"]
    reviews.write_text(json.dumps({"id": "r", "stars": 5}) + "\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"reviews\.jsonl: no review; it needs a column named text"):
        list(review_texts([reviews]))


def test_all_pieces_of_a_word_are_masked_together(tokenizer: Tokenizer) -> None:
    masking = Masking(tokenizer, causal=False, share=0.2)
    ids, words = [0, 10, 11, 12, 13, 14, 2], [-1, 0, 0, 1, 2, 2, -1]
    seen = set()
    for seed in range(200):
        row = masking.row(ids, words, random.Random(seed))
        assert row.goals == [ids[place] for place in row.places]
        chosen = {words[place] for place in row.places}
        assert row.places == [place for place, word in enumerate(words) if word in chosen]
        assert -1 not in chosen
        assert chosen
        seen |= {row.ids[place] for place in row.places}
        assert all(row.ids[place] == ids[place] for place in range(len(ids)) if place not in row.places)
    mask = tokenizer.token_to_id("<mask>")
    assert mask in seen
    assert not seen & {tokenizer.token_to_id(piece) for piece in ("<s>", "</s>", "<pad>", "<unk>")}


def test_a_model_that_sees_backwards_learns_the_next_token(tokenizer: Tokenizer) -> None:
    row = Masking(tokenizer, causal=True, share=0.2).row([5, 6, 7, 2], [0, 0, 1, -1], random.Random(0))
    assert (row.ids, row.places, row.goals) == ([5, 6, 7, 2], [0, 1, 2], [6, 7, 2])


@pytest.mark.parametrize("family", sorted(_CONFIGS))
def test_every_family_learns(tmp_path: Path, tokenizer: Tokenizer, family: str) -> None:
    start = _base(family, tokenizer)
    result = _pretrain(tmp_path / "run", family, tokenizer)
    assert result.loss_after < 0.9 * result.loss_before
    assert result.base.digest != start.digest
    assert result.base.lineage["steps"] == ["pretrain on the shop's text"]
    assert len(_TEXTS) * 0.3 < result.counts["texts"] <= len(_TEXTS)


class _Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _pretrain(tmp_path / "whole", "bert", tokenizer)
    calls = 0

    def killing(
        name: str, model: torch.nn.Module, batches: object, loss_of: object, schedule: Schedule, run: object
    ) -> None:
        def loss(batch: object) -> torch.Tensor:
            nonlocal calls
            calls += name == "pretrain"
            if calls == 13:
                raise _Killed
            return loss_of(batch)  # type: ignore[operator, no-any-return]

        optimise(name, model, batches, loss, replace(schedule, checkpoint_every=5), run)  # type: ignore[arg-type, misc]

    monkeypatch.setattr("training.pretraining.optimise", killing)
    with pytest.raises(_Killed):
        _pretrain(tmp_path / "killed", "bert", tokenizer)
    monkeypatch.setattr("training.pretraining.optimise", optimise)
    again = _pretrain(tmp_path / "killed", "bert", tokenizer)
    assert again.base.digest == whole.base.digest
    assert (again.loss_before, again.loss_after) == (whole.loss_before, whole.loss_after)


def test_frozen_word_embeddings_stay(tmp_path: Path, tokenizer: Tokenizer) -> None:
    before = _base("bert", tokenizer).model.get_input_embeddings().weight.clone()
    settings = PretrainingSettings(batch_tokens=256, head_batches=2, train_words=False)
    after = _pretrain(tmp_path / "run", "bert", tokenizer, settings).base.model.get_input_embeddings().weight
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert after.requires_grad


def test_too_little_text_and_no_mask_end_with_one_line(tmp_path: Path, tokenizer: Tokenizer) -> None:
    run = RunFolder(tmp_path / "run", "pretrain", {})
    with pytest.raises(TrainingError, match="0 texts are left after cleaning"):
        pretrain(_base("bert", tokenizer), ["<p></p>"], _FAST, run)
    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = [token for token in plain["added_tokens"] if token["content"] != "<mask>"]
    plain["model"]["vocab"][-1][0] = "mask"
    with pytest.raises(TrainingError, match="has none of the pieces"):
        _pretrain(tmp_path / "other", "bert", Tokenizer.from_str(json.dumps(plain)))
