"""Tiny models made on the spot: a unigram tokenizer with both languages and a two-layer encoder."""

import json
from pathlib import Path

import numpy as np

from training.e5_weights import Floats

_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789的女男机手大小色红蓝"


def tokenizer_document() -> dict[str, object]:
    vocab = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -3.0]]
    vocab += [[character, -8.0] for character in _CHARACTERS]
    vocab += [[piece, -5.0] for piece in ("▁red", "▁blue", "▁phone", "▁case", "手机", "红色", "▁слово", "▁unused")]
    vocab.append(["<mask>", 0.0])
    added = [
        {"id": index, "content": piece, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        | {"special": True}
        for index, (piece, _) in enumerate(vocab)
        if str(piece).startswith("<")
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab},
    }


def write_tokenizer(folder: Path) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(tokenizer_document(), ensure_ascii=False), encoding="utf-8")
    return path


def bert_tensors(vocab: int, hidden: int = 32, layers: int = 2, seed: int = 0) -> dict[str, Floats]:
    """BERT tensors by name with random weights."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Floats:
        return rng.normal(scale=0.2, size=shape).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": normal(vocab, hidden),
        "embeddings.position_embeddings.weight": normal(64, hidden),
        "embeddings.token_type_embeddings.weight": normal(2, hidden),
        "embeddings.LayerNorm.weight": 1 + normal(hidden),
        "embeddings.LayerNorm.bias": normal(hidden),
    }
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        shapes = {
            "attention.self.query": (hidden, hidden),
            "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden),
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (2 * hidden, hidden),
            "output.dense": (hidden, 2 * hidden),
        }
        for name, shape in shapes.items():
            tensors[f"{prefix}{name}.weight"] = normal(*shape)
            tensors[f"{prefix}{name}.bias"] = normal(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors[f"{prefix}{name}.weight"] = 1 + normal(hidden)
            tensors[f"{prefix}{name}.bias"] = normal(hidden)
    return tensors


def long_bert_tensors(vocab: int, layers: int) -> dict[str, Floats]:
    """The same for texts of up to 256 tokens."""
    tensors = bert_tensors(vocab, layers=layers)
    positions = tensors["embeddings.position_embeddings.weight"]
    return {**tensors, "embeddings.position_embeddings.weight": np.tile(positions, (4, 1))}
