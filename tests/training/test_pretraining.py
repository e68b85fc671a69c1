"""Masked-language-model pre-training: cleaning, whole words, learning."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training.tiny import bert_tensors, write_tokenizer
from training.encoder import build_bert, pad_batch
from training.errors import TrainingError
from training.pretraining import MaskedLanguageModel, PretrainingSettings, clean_texts, mask_words, pretrain
from training.run_folder import RunFolder
from training.vocabulary import Trimmed, trim


@pytest.fixture
def trimmed(tmp_path: Path) -> Trimmed:
    return trim(write_tokenizer(tmp_path), ["red blue phone case 手机 红色"])


def test_cleaning_drops_markup_and_what_says_the_same() -> None:
    texts = ["<p>Red  phone</p>", "RED phone", "case 12", "case 13", "ab", "see https://x.example/a now"]
    assert clean_texts(texts) == ["red phone", "case 12", "see now"]


@pytest.mark.parametrize(("text", "piece_count"), [("qwerty", 6), ("红色手机", 2)])
def test_all_pieces_of_a_word_are_masked_together(trimmed: Trimmed, text: str, piece_count: int) -> None:
    tokenizer = trimmed.tokenizer()
    whole = set()
    for seed in range(20):
        row = mask_words(tokenizer, text, 32, 0.1, torch.Generator().manual_seed(seed))
        assert [row.ids[0], row.ids[-1]] == [0, tokenizer.token_to_id("</s>")]
        assert len(row.goals) == len(row.places) >= 1
        whole.add(len(row.places))
    assert max(whole) <= piece_count + 1
    assert (text != "qwerty") or min(whole) >= piece_count


def test_pretraining_learns(tmp_path: Path, trimmed: Trimmed) -> None:
    torch.manual_seed(0)
    model = MaskedLanguageModel(build_bert(bert_tensors(len(trimmed.pieces)), 4, 1))
    texts = [f"red phone case {a}{b}" for a in "abcdefgh" for b in "stuvwxyz"]
    before = _loss(model, trimmed)
    settings = PretrainingSettings(epochs=6, rate=3e-3, batch_tokens=256)
    pretrain(model, trimmed.tokenizer(), texts, settings, RunFolder(tmp_path / "run", "pretrain", {}), 1)
    assert _loss(model, trimmed) < 0.7 * before


def _loss(model: MaskedLanguageModel, trimmed: Trimmed) -> float:
    row = mask_words(trimmed.tokenizer(), "red phone case as", 32, 0.5, torch.Generator().manual_seed(2))
    places = torch.tensor(row.places)
    with torch.inference_mode():
        logits = model.eval()(*pad_batch([row.ids], 1), torch.zeros_like(places), places)
    return float(nn.functional.cross_entropy(logits, torch.tensor(row.goals)))


def test_no_text_ends_with_one_line(tmp_path: Path, trimmed: Trimmed) -> None:
    model = MaskedLanguageModel(build_bert(bert_tensors(len(trimmed.pieces)), 4, 1))
    with pytest.raises(TrainingError, match="no text is left"):
        pretrain(model, trimmed.tokenizer(), ["<p></p>"], PretrainingSettings(), RunFolder(tmp_path, "p", {}), 1)
