"""Fewer layers of every family still run."""

import copy

import pytest
import torch
from transformers import BertConfig, GPT2Config, PretrainedConfig, T5Config

from training.backbones import BackboneEncoder, build_backbone
from training.errors import TrainingError
from training.kept_layers import keep_model_layers

_SHAPES = (
    BertConfig(vocab_size=30, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16),
    GPT2Config(vocab_size=30, n_embd=16, n_layer=4, n_head=2, n_positions=16),
    T5Config(vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=4, num_heads=2),
)


@pytest.mark.parametrize("config", _SHAPES, ids=lambda config: str(config.model_type))
def test_the_first_the_last_and_those_between_are_kept(config: PretrainedConfig) -> None:
    model = build_backbone(copy.deepcopy(config))
    encoder = BackboneEncoder(model).eval()
    ids = torch.ones((1, 4), dtype=torch.int64)
    full = encoder(ids, ids)
    keep_model_layers(model, 2)
    assert model.config.num_hidden_layers == 2
    fewer = encoder(ids, ids)
    assert fewer.shape == full.shape
    assert not torch.allclose(fewer, full)


@pytest.mark.parametrize("count", [0, 5])
def test_a_number_that_there_is_not_is_refused(count: int) -> None:
    with pytest.raises(TrainingError, match="a base that has 4"):
        keep_model_layers(build_backbone(copy.deepcopy(_SHAPES[0])), count)
