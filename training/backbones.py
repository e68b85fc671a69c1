"""Backbones by choice: BERT, RoBERTa/XLM-R, GPT-style and T5 encoders through the same training, export and serving.

Weights come from a folder or a Hugging Face id (revision pinned, safetensors only, no remote code; HF_HUB_OFFLINE is
honoured). Pooling: the mean for encoders that see both ways, the last token for those that see only backwards.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel, T5EncoderModel

from training.e5_weights import Floats
from training.encoder import mean_states
from training.errors import TrainingError

Pooling = Literal["mean", "last"]

_LAST_TOKEN = frozenset(("gpt2", "gpt_neo", "gpt_neox", "llama", "qwen2", "qwen3", "mistral", "gemma", "phi3", "opt"))
_T5 = frozenset(("t5", "mt5", "umt5"))
_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def load_backbone(source: str, revision: str = "") -> PreTrainedModel:
    """The encoder at `source`, float32, without a pooler.

    Raises TrainingError when there is no such folder, an id has no commit pinned, there are no safetensors, or they
    lack weights that the model needs.
    """
    if not Path(source).is_dir():
        if not _ID.fullmatch(source):
            raise TrainingError(f"backbone {source}: there is no such folder")
        if not _COMMIT.fullmatch(revision):
            raise TrainingError(
                f"backbone {source}: not a folder, and a Hugging Face id needs --revision: the commit, 40 hex digits"
            )
    options = _options(revision)
    config = read_config(source, revision)
    family: Any = T5EncoderModel if config.model_type in _T5 else AutoModel
    with _quiet():
        try:
            model, info = family.from_pretrained(
                source,
                config=config,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
                output_loading_info=True,
                **options,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise TrainingError(f"backbone {source}: {str(error).splitlines()[0]}") from error
    encoder = _without_pooler(model)
    wrong = {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}
    if wrong := {name for name in wrong if not name.startswith("pooler.")}:
        raise TrainingError(
            f"backbone {source}: its weights lack {min(wrong)} of the model's shape, and {len(wrong) - 1} others"
        )
    return encoder


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' report on stderr: what is missing is refused here in one line."""
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)


def read_config(source: str, revision: str = "") -> PretrainedConfig:
    """The config.json at `source`. Raises TrainingError when it can't be read."""
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(source, **_options(revision))
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"backbone {source}: {str(error).splitlines()[0]}") from error
    return config


def _options(revision: str) -> dict[str, Any]:
    return {"revision": revision or "main", "trust_remote_code": False}


def build_backbone(config: PretrainedConfig) -> PreTrainedModel:
    """An encoder of this shape with random weights, without a pooler."""
    make: Any = T5EncoderModel if config.model_type in _T5 else AutoModel.from_config
    return _without_pooler(make(config))


def load_weights(model: PreTrainedModel, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put the tensors of file `path` into the model. Raises TrainingError when they are not the model's."""
    wanted = dict(model.named_parameters(remove_duplicate=False))
    # A tensor of two names (T5's words) is in a file once.
    read = {id(wanted[name]) for name in tensors if name in wanted}
    missing = sorted(name for name, values in wanted.items() if id(values) not in read)
    unexpected = sorted(set(tensors) - set(model.state_dict()))
    if missing or unexpected:
        raise TrainingError(f"{path} does not fit its config.json: missing {missing[:1]}, unexpected {unexpected[:1]}")
    try:
        model.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:
        raise TrainingError(f"{path} does not fit its config.json: {str(error).splitlines()[-1].strip()}") from error


def _without_pooler(model: PreTrainedModel) -> PreTrainedModel:
    """The model without the layer that some families put over the first token: token states are pooled here."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # type: ignore[assignment]
    return model


def pooling_of(model: PreTrainedModel) -> Pooling:
    """How token states become one vector."""
    return "last" if model.config.model_type in _LAST_TOKEN else "mean"


def last_states(states: Tensor, mask: Tensor) -> Tensor:
    """The last real token's state; (n, t, d) and (n, t) -> (n, d)."""
    places = torch.arange(mask.shape[1], device=mask.device) * mask
    return states.gather(1, places.argmax(dim=1)[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)


class BackboneEncoder(nn.Module):
    """Any backbone as an embedder: ids and mask (n, t) int64 -> vectors (n, d) float32, L2-normalised."""

    def __init__(self, model: PreTrainedModel, pooling: Pooling | None = None) -> None:
        super().__init__()
        self.model = model
        self.pooling: Pooling = pooling or pooling_of(model)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        pooled = pooled_states(self.model, self.pooling, input_ids, attention_mask)
        return nn.functional.normalize(pooled.float(), dim=-1, eps=1e-12)


class BackboneRanker(nn.Module):
    """Any backbone as a cross-encoder: ids, mask, types (n, t) int64 -> logits (n,) float32.

    Pooled states, a tanh layer, one output. The layer starts as the identity, because pooled states already tell texts
    apart. Not every backbone has token types: in those the separator alone tells query from product.
    """

    def __init__(
        self, model: PreTrainedModel, head: Mapping[str, Floats] | None = None, pooling: Pooling | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.pooling: Pooling = pooling or pooling_of(model)
        hidden: int = model.config.hidden_size
        self.dense = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        nn.init.eye_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)
        nn.init.normal_(self.out.weight, std=0.02)
        nn.init.zeros_(self.out.bias)
        if head:
            for name, values in self._head().items():
                values.data.copy_(torch.from_numpy(head[name].copy()))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        pooled = pooled_states(self.model, self.pooling, input_ids, attention_mask, token_type_ids)
        logits: Tensor = self.out(torch.tanh(self.dense(pooled))).squeeze(-1)
        return logits.float()

    def head(self) -> dict[str, Floats]:
        """The head's weights by name: head.dense.weight, head.dense.bias, head.out.weight, head.out.bias."""
        return {name: values.detach().cpu().numpy().copy() for name, values in self._head().items()}

    def _head(self) -> dict[str, nn.Parameter]:
        layers = {"dense": self.dense, "out": self.out}
        return {
            f"head.{name}.{kind}": getattr(layer, kind) for name, layer in layers.items() for kind in ("weight", "bias")
        }


def pooled_states(
    model: PreTrainedModel, pooling: Pooling, input_ids: Tensor, attention_mask: Tensor, types: Tensor | None = None
) -> Tensor:
    """The backbone's pooled token states (n, d), on the device of its weights."""
    device = model.device
    mask = attention_mask.to(device)
    inputs = {"input_ids": input_ids.to(device), "attention_mask": mask}
    if types is not None and has_types(model):
        inputs["token_type_ids"] = types.to(device)
    states = model(**inputs).last_hidden_state
    return last_states(states, mask) if pooling == "last" else mean_states(states, mask)


def has_types(model: PreTrainedModel) -> bool:
    """Whether the backbone tells query from product by token types."""
    return int(getattr(model.config, "type_vocab_size", 0) or 0) > 1


def window(config: PretrainedConfig, most: int) -> int:
    """Tokens that fit into a row, at most `most`. RoBERTa's positions begin after the padding token's number."""
    positions = getattr(config, "max_position_embeddings", None)
    if not positions:
        return most
    roberta = config.model_type in ("roberta", "xlm-roberta", "camembert")
    return min(most, int(positions) - (int(config.pad_token_id) + 1 if roberta else 0))
