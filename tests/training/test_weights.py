"""The readers of packaged base weights."""

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from training.e5_weights import read_e5
from training.errors import TrainingError
from training.minilm_weights import read_minilm


def _e5_file(words: np.ndarray) -> bytes:
    """An E5S1 file with one quantised tensor (the word table) and one float32 tensor."""
    vocab, hidden = words.shape
    head = (
        b"E5S1" + struct.pack("<I7ifi", 1, hidden, 1, 2, 64, vocab, 8, 2, 1e-12, 32) + struct.pack("<5i", 1, 0, 2, 1, 3)
    )
    pieces = struct.pack("<Q", 1) + struct.pack("<2I", 0, 1) + struct.pack("<f", 0.0) + b"a"
    norm = struct.pack("<iI", 0, 0)
    blocks = b""
    for block in words.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        nibbles = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        blocks += scale.tobytes() + bytes(nibbles[:16] | (nibbles[16:] << 4))
    bias = np.arange(4, dtype="<f4").tobytes()
    entries = ((b"emb.word", 1, words.size, len(blocks)), (b"l0.q.b", 0, 4, len(bias)))
    table = sum(2 + len(name) + 21 for name, *_ in entries)
    offset = len(head + pieces + norm) + 4 + table
    index = struct.pack("<i", len(entries))
    for name, kind, elements, size in entries:
        index += struct.pack("<H", len(name)) + name + struct.pack("<BIQQ", kind, elements, offset, size)
        offset += size
    return head + pieces + norm + index + blocks + bias


def test_e5_reads_blocks_and_floats(tmp_path: Path) -> None:
    words = np.random.default_rng(0).normal(size=(4, 32)).astype(np.float32)
    path = tmp_path / "e5.bin"
    path.write_bytes(_e5_file(words))
    weights = read_e5(path)
    assert weights.hidden == 32
    assert weights.vocab == 4
    np.testing.assert_allclose(weights.tensors["embeddings.word_embeddings.weight"], words, atol=0.3)
    np.testing.assert_array_equal(weights.tensors["encoder.layer.0.attention.self.query.bias"], [0, 1, 2, 3])


def test_e5_cut_short_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "e5.bin"
    path.write_bytes(_e5_file(np.ones((4, 32), dtype=np.float32))[:-40])
    with pytest.raises(TrainingError, match="cut short or damaged"):
        read_e5(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b""])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="not an E5S1"):
        read_e5(path)
    with pytest.raises(TrainingError, match="cannot read MiniLM"):
        read_minilm(path)


def test_minilm_leaves_pooler_out(tmp_path: Path) -> None:
    ones = np.ones((2, 2), dtype=np.float16)
    save_file({"pooler.dense.weight": ones, "embeddings.LayerNorm.weight": ones}, tmp_path / "m.safetensors")
    tensors = read_minilm(tmp_path / "m.safetensors")
    assert list(tensors) == ["embeddings.LayerNorm.weight"]
    assert tensors["embeddings.LayerNorm.weight"].dtype == np.float32
