"""A bundle's safetensors in torch: the second runtime, computing in float32 whatever the file holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

from vitrine.bundle import Bundle
from vitrine.errors import FailedPrecondition, Internal
from vitrine.inference import Runtime, TokenIds, attention_mask, finite_rows, padded
from vitrine.vectors import FloatArray

CONFIG_FILE = "config.json"
# A ranker's head as `training` writes it, over the pooled token states: a tanh layer, then one output.
HEAD = ("head.dense.weight", "head.dense.bias", "head.out.weight", "head.out.bias")
_T5 = frozenset(("t5", "mt5", "umt5"))


class TorchSession:
    """The architecture that the bundle's config.json names, with the weights of model.safetensors.

    A ranker is an encoder with the head of HEAD, or, when the file holds no such head, a sequence classifier.
    """

    runtime: Runtime = "torch"

    def __init__(self, bundle: Bundle, weights: Path) -> None:
        self._name = bundle.manifest.name
        self._kind = bundle.manifest.kind
        self._pooling = bundle.manifest.pooling
        self._pad_id = bundle.manifest.pad_id
        # Each thread of the budget computes by itself.
        torch.set_num_threads(1)
        state = {name: tensor.float() for name, tensor in load_file(weights).items()}
        self._head = {name: state.pop(name) for name in HEAD if name in state}
        if self._head and len(self._head) < len(HEAD):
            raise FailedPrecondition(f"{weights} lacks {sorted(set(HEAD) - set(self._head))[0]} of its head")
        config = transformers.AutoConfig.from_pretrained(bundle.path(CONFIG_FILE))
        self._model = _architecture(config, classifies=self._kind == "ranker" and not self._head)
        missing, unexpected = self._model.load_state_dict(state, strict=False)
        # A pooler is no part of an encoder whose token states are pooled here, and most files leave it out; a tensor
        # of two names (T5's words) is in a file once.
        named = dict(self._model.named_parameters(remove_duplicate=False))
        read = {id(named[name]) for name in state if name in named}
        missing = [name for name in missing if not name.startswith("pooler.") and id(named.get(name)) not in read]
        if missing or unexpected:
            raise FailedPrecondition(
                f"{weights} does not fit {CONFIG_FILE}: missing {missing[:3]}, unexpected {unexpected[:3]}"
            )
        self._model.float().eval()
        self._reads_types = getattr(config, "type_vocab_size", 0) > 1

    def run(
        self, ids: Sequence[TokenIds], type_ids: Sequence[TokenIds] | None = None
    ) -> Sequence[FloatArray | Internal]:
        """See `Session.run`."""
        mask = torch.from_numpy(attention_mask(ids))
        inputs: dict[str, Any] = {"input_ids": torch.from_numpy(padded(ids, self._pad_id)), "attention_mask": mask}
        if type_ids is not None and self._reads_types:
            inputs["token_type_ids"] = torch.from_numpy(padded(type_ids))
        with torch.inference_mode():
            outputs = self._outputs(inputs, mask)
        return finite_rows(self._name, outputs.numpy())

    def _outputs(self, inputs: dict[str, Any], mask: Tensor) -> Tensor:
        """(n, dim) unit vectors, or a ranker's (n,) logits."""
        if self._kind == "ranker" and not self._head:
            logits: Tensor = self._model(**inputs).logits[:, 0]
            return logits
        pooled = self._pool(self._model(**inputs).last_hidden_state, mask)
        if self._kind == "embedder":
            return torch.nn.functional.normalize(pooled)
        active = torch.tanh(pooled @ self._head["head.dense.weight"].T + self._head["head.dense.bias"])
        return (active @ self._head["head.out.weight"].T + self._head["head.out.bias"])[:, 0]

    def _pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(n, t, dim) to (n, dim), padding left out."""
        if self._pooling == "cls":
            return hidden[:, 0]
        if self._pooling == "last":
            return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]
        kept = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * kept).sum(1) / kept.sum(1)


def _architecture(config: Any, classifies: bool) -> Any:
    if not classifies and config.model_type in _T5:
        return transformers.T5EncoderModel(config)
    family: Any = transformers.AutoModelForSequenceClassification if classifies else transformers.AutoModel
    return family.from_config(config)
