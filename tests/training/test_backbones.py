"""Every backbone family trains as embedder and ranker and gives the same figures when exported."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import BertConfig, GPT2Config, PretrainedConfig, RobertaConfig, T5Config

from training.backbone_onnx import export_backbone
from training.backbones import (
    BackboneEncoder,
    BackboneRanker,
    build_backbone,
    last_states,
    load_backbone,
    pooling_of,
)
from training.embedder_training import info_nce
from training.encoder import pad_batch
from training.errors import TrainingError
from training.ranker_training import list_loss

_CONFIGS = {
    "bert": BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32),
    "roberta": RobertaConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    ),
    "gpt": GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, n_positions=64),
    "t5": T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2),
}
_ROWS = [[0, 7, 9, 12, 2], [0, 20, 2], [0, *range(4, 20), 2], [0, 5, 2]]


@pytest.fixture(params=sorted(_CONFIGS))
def config(request: pytest.FixtureRequest) -> PretrainedConfig:
    torch.manual_seed(0)
    return _CONFIGS[request.param]


def test_embedder_trains_and_exports(tmp_path: Path, config: PretrainedConfig) -> None:
    encoder = BackboneEncoder(build_backbone(config))
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-2)
    ids, mask = pad_batch(_ROWS, 1)
    losses = []
    for _ in range(8):
        vectors = encoder(ids, mask)
        loss = info_nce(vectors[:2], vectors[[2, 3, 1, 0]], ["a", "b"], 0.5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    export_backbone(encoder, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    ids, mask = pad_batch(_ROWS[1:], 1)
    with torch.inference_mode():
        expected = encoder.eval()(ids, mask).numpy()
    given = session.run(["vectors"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    assert ((given * expected).sum(axis=1) > 0.999).all()


def test_ranker_trains_and_exports(tmp_path: Path, config: PretrainedConfig) -> None:
    model = BackboneRanker(build_backbone(config))
    ids, mask = pad_batch(_ROWS, 1)
    types = torch.zeros_like(ids)
    list_loss(model(ids, mask, types), torch.tensor([1.0, 0.0, 1.0, 0.5]), [2, 2], 0.2, 1.0).backward()
    assert all(parameter.grad is not None for parameter in model.out.parameters())
    export_backbone(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": types.numpy()}
    with torch.inference_mode():
        expected = model.eval()(ids, mask, types).numpy()
    np.testing.assert_allclose(session.run(["logits"], feed)[0], expected, atol=1e-4)


def test_a_folder_is_loaded_and_the_rest_refused(tmp_path: Path) -> None:
    model = build_backbone(_CONFIGS["gpt"])
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
