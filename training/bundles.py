"""Writes trained weights as a bundle, swapped in whole: ONNX int8, or float32 with safetensors beside it."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from training.cross_encoder import pair_row
from training.e5_weights import Floats
from training.onnx_bert import write_embedder_onnx, write_ranker_onnx
from training.quantize import quantize
from vitrine.bundle import Bundle, Calibration, Manifest, write_bundle
from vitrine.text import normalize_text

MAX_TOKENS = 256
_SELF_TEST_QUERY = "无线 bluetooth headphones"
_SELF_TEST_PRODUCT = "sony wh-1000xm4 wireless headphones black"
_LICENCE = "MIT (multilingual-e5-small) and Apache-2.0 (all-MiniLM-L6-v2)"


@dataclass(frozen=True)
class Trained:
    """What a training step hands over: BERT tensors by name, shape facts, tokenizer and how it was made."""

    tensors: Mapping[str, Floats]
    heads: int
    eps: float
    tokenizer_json: str
    lineage: dict[str, Any]
    metrics: dict[str, Any]


def write_embedder(
    folder: Path, trained: Trained, name: str, version: str, prompts: Mapping[str, str], int8: bool
) -> Bundle:
    """The embedder's bundle in `folder`, replacing one that is there only when the new one is complete."""

    def build(scratch: Path) -> Manifest:
        _weights(scratch, trained, write_embedder_onnx, int8)
        text = prompts["query"] + normalize_text(_SELF_TEST_QUERY)
        ids = Tokenizer.from_str(trained.tokenizer_json).encode(text).ids
        vector = _run(scratch / "model.onnx", [ids])
        return Manifest(
            kind="embedder",
            name=name,
            version=version,
            dim=vector.shape[1],
            max_tokens=MAX_TOKENS,
            prompts={"query": prompts["query"], "document": prompts["document"]},
            languages=["zh", "en"],
            licence=_LICENCE,
            lineage=trained.lineage,
            metrics=trained.metrics,
            self_test={
                "text": _SELF_TEST_QUERY,
                "input_type": "query",
                "vector_head": [float(value) for value in vector[0, :8]],
            },
        )

    return _replace(folder, build)


def write_ranker(
    folder: Path, trained: Trained, name: str, version: str, calibration: Calibration, int8: bool
) -> Bundle:
    """The ranker's bundle in `folder`, replacing one that is there only when the new one is complete."""

    def build(scratch: Path) -> Manifest:
        _weights(scratch, trained, write_ranker_onnx, int8)
        tokenizer = Tokenizer.from_str(trained.tokenizer_json)
        query, product = (tokenizer.encode(normalize_text(t)).ids for t in (_SELF_TEST_QUERY, _SELF_TEST_PRODUCT))
        ids, types = pair_row(query, product, MAX_TOKENS)
        return Manifest(
            kind="ranker",
            name=name,
            version=version,
            dim=0,
            max_tokens=MAX_TOKENS,
            languages=["zh", "en"],
            licence=_LICENCE,
            calibration=calibration,
            lineage=trained.lineage,
            metrics=trained.metrics,
            self_test={
                "query": _SELF_TEST_QUERY,
                "document": _SELF_TEST_PRODUCT,
                "logit": float(_run(scratch / "model.onnx", [ids], [types])[0]),
            },
        )

    return _replace(folder, build)


def _weights(
    folder: Path, trained: Trained, write: Callable[[Mapping[str, Floats], int, float, Path], None], int8: bool
) -> None:
    model = folder / "model.onnx"
    (folder / "tokenizer.json").write_text(trained.tokenizer_json, encoding="utf-8")
    if int8:
        plain = folder / ".float32.onnx"
        write(trained.tensors, trained.heads, trained.eps, plain)
        quantize(plain, model)
        plain.unlink()
        return
    write(trained.tensors, trained.heads, trained.eps, model)
    save_file(
        {name: np.ascontiguousarray(values) for name, values in trained.tensors.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(bert_config(trained), indent=1) + "\n", encoding="utf-8")


def bert_config(trained: Trained) -> dict[str, Any]:
    """The config.json from which transformers rebuilds the encoder's shape."""
    words = trained.tensors["embeddings.word_embeddings.weight"]
    return {
        "model_type": "bert",
        "vocab_size": words.shape[0],
        "hidden_size": words.shape[1],
        "num_hidden_layers": 1 + max(int(n.split(".")[2]) for n in trained.tensors if n.startswith("encoder.layer.")),
        "num_attention_heads": trained.heads,
        "intermediate_size": trained.tensors["encoder.layer.0.intermediate.dense.weight"].shape[0],
        "max_position_embeddings": trained.tensors["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": trained.tensors["embeddings.token_type_embeddings.weight"].shape[0],
        "layer_norm_eps": trained.eps,
        "hidden_act": "gelu",
        "pad_token_id": 1,
    }


def _run(
    model: Path, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None
) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    rows = np.array(ids, dtype=np.int64)
    feed = {"input_ids": rows, "attention_mask": np.ones_like(rows)}
    if types is not None:
        feed["token_type_ids"] = np.array(types, dtype=np.int64)
    output: NDArray[np.float32] = session.run(None, feed)[0]
    return output


def _replace(folder: Path, build: Callable[[Path], Manifest]) -> Bundle:
    scratch = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        bundle = write_bundle(scratch, build(scratch))
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Bundle(folder, bundle.manifest)
