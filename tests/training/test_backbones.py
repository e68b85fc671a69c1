"""Backbones are loaded whole or refused, and pool and fit as their family does."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, GPT2Config, RobertaConfig, T5Config

from training.backbones import build_backbone, last_states, load_backbone, pooling_of, window
from training.errors import TrainingError


def test_a_folder_is_loaded_and_the_rest_refused(tmp_path: Path) -> None:
    model = build_backbone(GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, n_positions=64))
    assert pooling_of(model) == "last"
    model.save_pretrained(tmp_path / "gpt")
    assert pooling_of(load_backbone(str(tmp_path / "gpt"))) == "last"
    (tmp_path / "gpt" / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="backbone"):
        load_backbone(str(tmp_path / "gpt"))
    with pytest.raises(TrainingError, match="needs --revision"):
        load_backbone("someone/model")


def test_last_pool_takes_the_last_real_token() -> None:
    states = torch.arange(12.0).reshape(2, 3, 2)
    pooled = last_states(states, torch.tensor([[1, 1, 0], [1, 1, 1]]))
    torch.testing.assert_close(pooled, states[[0, 1], [1, 2]])


def test_what_fits_into_a_row() -> None:
    assert window(RobertaConfig(max_position_embeddings=66, pad_token_id=1), 256) == 64
    assert window(BertConfig(max_position_embeddings=512), 256) == 256
    assert window(GPT2Config(n_positions=64), 256) == 64
    assert window(T5Config(), 256) == 256
