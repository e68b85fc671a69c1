"""Backbones by choice: BERT, RoBERTa/XLM-R, GPT-style and T5 encoders through the same training, export and serving.

Weights come from a folder or a Hugging Face id (revision pinned, safetensors only, no remote code; HF_HUB_OFFLINE is
honoured). Pooling: the mean for encoders that see both ways, the last token for those that see only backwards.
"""

import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel, T5EncoderModel

from training.encoder import mean_pool
from training.errors import TrainingError

Pooling = Literal["mean", "last"]

_LAST_TOKEN = frozenset(("gpt2", "gpt_neo", "gpt_neox", "llama", "qwen2", "qwen3", "mistral"))
_T5 = frozenset(("t5", "mt5", "umt5"))
OPSET = 17


def load_backbone(source: str, revision: str = "") -> PreTrainedModel:
    """The encoder at `source`. Raises TrainingError when an id has no pinned revision, or there are no safetensors."""
    if not Path(source).is_dir() and not revision:
        raise TrainingError(f"backbone {source}: not a folder, and a Hugging Face id needs --revision (a commit)")
    options: dict[str, Any] = {"revision": revision or "main", "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(source, **options)
        family = T5EncoderModel if config.model_type in _T5 else AutoModel
        model: PreTrainedModel = family.from_pretrained(source, config=config, use_safetensors=True, **options)
    except (OSError, ValueError) as error:
        raise TrainingError(f"backbone {source}: {str(error).splitlines()[0]}") from error
    return model


def build_backbone(config: PretrainedConfig) -> PreTrainedModel:
    """An encoder of this shape with random weights."""
    make: Any = T5EncoderModel if config.model_type in _T5 else AutoModel.from_config
    model: PreTrainedModel = make(config)
    return model


def pooling_of(model: PreTrainedModel) -> Pooling:
    """How token states become one vector."""
    return "last" if model.config.model_type in _LAST_TOKEN else "mean"


def last_pool(states: Tensor, mask: Tensor) -> Tensor:
    """The last real token's state, L2-normalised; (n, t, d) and (n, t) -> (n, d)."""
    places = torch.arange(mask.shape[1], device=mask.device) * mask
    last = states.gather(1, places.argmax(dim=1)[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)
    return nn.functional.normalize(last, dim=-1, eps=1e-12)


class BackboneEncoder(nn.Module):
    """Any backbone as an embedder: ids and mask (n, t) int64 -> vectors (n, d) float32, L2-normalised."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.pool = last_pool if pooling_of(model) == "last" else mean_pool

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.pool(states, attention_mask)


class BackboneRanker(nn.Module):
    """Any backbone as a cross-encoder: ids, mask, types (n, t) int64 -> logits (n,).

    Not every backbone has token types: the separator alone tells query from product, and the types are not used.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = BackboneEncoder(model)
        self.out = nn.Linear(model.config.hidden_size, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        logits: Tensor = self.out(self.encoder(input_ids, attention_mask)).squeeze(-1)
        return logits + 0.0 * token_type_ids[:, 0]  # keeps the input in the exported graph


def export_backbone(module: nn.Module, path: Path) -> None:
    """Float32 ONNX with the same inputs and outputs as the shipped bundles', batch and length free."""
    ranker = isinstance(module, BackboneRanker)
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if ranker else [])]
    output = "logits" if ranker else "vectors"
    shape = {0: "batch", 1: "length"}
    sample = torch.ones((2, 6), dtype=torch.int64)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that it reads
        torch.onnx.export(
            module.eval(),
            tuple(sample for _ in names),
            str(path),
            input_names=names,
            output_names=[output],
            dynamic_axes={**dict.fromkeys(names, shape), output: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
