"""A BERT encoder while it is made smaller: weights, tokenizer, and how it becomes a torch module or an ONNX file."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from torch import nn

from training.backbones import BackboneEncoder, BackboneRanker
from training.bases import Base
from training.bundles import Trained
from training.compression import KeptHeads, layer_count, silence_heads, without_heads
from training.e5_weights import Floats
from training.encoder import build_bert
from training.errors import TrainingError
from training.onnx_bert import write_embedder_onnx, write_ranker_onnx
from training.vocabulary import Trimmed
from vitrine.bundle import BundleKind, Manifest
from vitrine.inference import ONNX_FILE
from vitrine.tokenization import TOKENIZER_FILE

WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Body:
    """BERT tensors by name, a ranker's head, and the heads kept by layer (all when empty)."""

    tensors: dict[str, Floats]
    head: dict[str, Floats]
    heads: int
    eps: float
    pad_id: int
    tokenizer_json: str
    kept_heads: KeptHeads = field(default=())

    @property
    def kind(self) -> BundleKind:
        return "ranker" if self.head else "embedder"

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.tokenizer_json)

    def module(self) -> BackboneEncoder | BackboneRanker:
        """For training: ids, mask (and types) -> vectors, or logits of a ranker."""
        bert = build_bert(self.tensors, self.heads, self.pad_id, self.eps)
        if self.kept_heads:
            silence_heads(bert, self.kept_heads)
        return BackboneRanker(bert, self.head, "mean") if self.head else BackboneEncoder(bert, "mean")

    def trained(self, module: nn.Module) -> "Body":
        """The same with the weights of a module of `module()`."""
        assert isinstance(module, (BackboneEncoder, BackboneRanker))
        tensors = {name: values.detach().cpu().numpy() for name, values in module.model.state_dict().items()}
        return replace(self, tensors=tensors, head=module.head() if isinstance(module, BackboneRanker) else {})

    def check_holds(self, layers: Iterable[int], source: str) -> None:
        """Raise TrainingError where one of these layers, counted from 0, is not there to be learned from."""
        count = layer_count(self.tensors)
        if (last := max(layers)) >= count:
            raise TrainingError(
                f"{source} has {count} layers, and its layer {last + 1} is to be learned from; give the six-layer "
                f"{self.kind} as --teacher, or none, and it is made first"
            )

    def handed_over(self, card: Manifest, lineage: dict[str, Any], metrics: dict[str, Any]) -> Trained:
        """For the writer of bundles: these weights, and what holds of them as of the card's bundle."""
        return Trained(
            {**self.tensors, **self.head},
            self.heads,
            self.eps,
            self.tokenizer_json,
            lineage,
            metrics,
            self.pad_id,
            card.licence,
            card.max_tokens,
        )

    def with_vocabulary(self, trimmed: Trimmed) -> "Body":
        """The same with the word rows of a trimmed vocabulary."""
        rows = np.ascontiguousarray(self.tensors[WORDS][trimmed.source_ids])
        pad = self.tokenizer().id_to_token(self.pad_id)
        pad_id = trimmed.pieces.index(pad) if pad in trimmed.pieces else 0
        tensors = {**self.tensors, WORDS: rows}
        return replace(self, tensors=tensors, tokenizer_json=trimmed.tokenizer_json, pad_id=pad_id)

    def write(self, folder: Path) -> None:
        """model.onnx, float32, and tokenizer.json."""
        tensors, heads = self.tensors, self.heads
        if self.kept_heads:
            tensors, heads = without_heads(tensors, heads, self.kept_heads), len(self.kept_heads[0])
        write = write_ranker_onnx if self.head else write_embedder_onnx
        write({**tensors, **self.head}, heads, self.eps, folder / ONNX_FILE)
        (folder / TOKENIZER_FILE).write_text(self.tokenizer_json, encoding="utf-8")


def body_of(base: Base) -> Body:
    """The base's encoder. Raises TrainingError for a family or pooling that can't be compressed."""
    config = base.model.config
    if config.model_type != "bert" or base.pooling != "mean":
        raise TrainingError(
            f"{base.source} is a {config.model_type} with {base.pooling} pooling; compress takes BERT encoders with "
            "mean pooling (e5, MiniLM and the bundles made of them)"
        )
    tensors = {name: values.detach().numpy() for name, values in base.model.state_dict().items()}
    return Body(
        tensors, base.head, config.num_attention_heads, config.layer_norm_eps, base.pad_id, base.tokenizer.to_str()
    )
