"""A bundle's safetensors in torch: the second runtime, computing in float32 whatever the file holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file

from vitrine.bundle import Bundle
from vitrine.errors import FailedPrecondition, Internal
from vitrine.inference import Runtime, TokenIds, attention_mask, finite_rows, padded
from vitrine.vectors import FloatArray

CONFIG_FILE = "config.json"


class TorchSession:
    """The architecture that the bundle's config.json names, with the weights of model.safetensors."""

    runtime: Runtime = "torch"

    def __init__(self, bundle: Bundle, weights: Path, threads: int) -> None:
        self._name = bundle.manifest.name
        self._kind = bundle.manifest.kind
        self._pooling = bundle.manifest.pooling
        torch.set_num_threads(threads)
        config = transformers.AutoConfig.from_pretrained(bundle.path(CONFIG_FILE))
        architecture: Any = (
            transformers.AutoModel if self._kind == "embedder" else transformers.AutoModelForSequenceClassification
        )
        self._model = architecture.from_config(config)
        state = {name: tensor.float() for name, tensor in load_file(weights).items()}
        missing, unexpected = self._model.load_state_dict(state, strict=False)
        # A pooler is no part of a mean-pooled embedder, and most files leave it out.
        missing = [name for name in missing if not (self._kind == "embedder" and name.startswith("pooler."))]
        if missing or unexpected:
            raise FailedPrecondition(
                f"{weights} does not fit {CONFIG_FILE}: missing {missing[:3]}, unexpected {unexpected[:3]}"
            )
        self._model.float().eval()

    def run(
        self, ids: Sequence[TokenIds], type_ids: Sequence[TokenIds] | None = None
    ) -> Sequence[FloatArray | Internal]:
        """See `Session.run`."""
        mask = torch.from_numpy(attention_mask(ids))
        inputs: dict[str, Any] = {"input_ids": torch.from_numpy(padded(ids)), "attention_mask": mask}
        if type_ids is not None:
            inputs["token_type_ids"] = torch.from_numpy(padded(type_ids))
        with torch.inference_mode():
            if self._kind == "ranker":
                outputs = self._model(**inputs).logits[:, 0]
            else:
                outputs = torch.nn.functional.normalize(self._pool(self._model(**inputs).last_hidden_state, mask))
        return finite_rows(self._name, outputs.numpy())

    def _pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, t, dim) to (n, dim), padding left out."""
        if self._pooling == "cls":
            return hidden[:, 0]
        if self._pooling == "last":
            return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]
        kept = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * kept).sum(1) / kept.sum(1)
