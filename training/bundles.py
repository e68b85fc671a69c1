"""Writes trained weights as a bundle, swapped in whole: ONNX int8, or float32 with safetensors beside it.

BERT encoders with mean pooling go through the graph written by hand, with a scale per token in int8; other families
through torch's exporter, in int8 only where it leaves a text's answer alone. The card's lineage says what was written.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from training.backbone_onnx import export_backbone, quantize_backbone
from training.backbones import BackboneEncoder, BackboneRanker, Pooling, window
from training.cross_encoder import pair_row
from training.e5_weights import Floats
from training.onnx_bert import has_all_heads, write_embedder_onnx, write_ranker_onnx
from training.quantize import quantize
from training.whole_folder import replace_folder
from vitrine.bundle import MANIFEST, Bundle, BundleKind, Calibration, Manifest, write_bundle
from vitrine.text import normalize_text

MAX_TOKENS = 256
_SELF_TEST_QUERY = "无线 bluetooth headphones"
_SELF_TEST_PRODUCT = "sony wh-1000xm4 wireless headphones black"
# Longer and of other words: what may move the first texts' answers in a batch.
_BESIDE = "apple iphone 15 pro max 256 gb 手机 大屏 shockproof case for iphone 15, red, pack of 2 " * 2
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
    pad_id: int = 1
    licence: str = _LICENCE
    max_tokens: int = MAX_TOKENS

    @property
    def pooling(self) -> Pooling:
        """How token states become one vector."""
        return "mean"

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that goes with the weights."""
        return Tokenizer.from_str(self.tokenizer_json)

    def window(self) -> int:
        """Tokens that fit into a row."""
        positions: int = self.tensors["embeddings.position_embeddings.weight"].shape[0]
        return min(self.max_tokens, positions)

    def write(self, folder: Path, rows: Sequence[list[int]], int8: bool) -> str:
        """Write model.onnx and, in float32, what the torch runtime reads; give what keeps it from int8, or ""."""
        graph = write_ranker_onnx if "head.out.weight" in self.tensors else write_embedder_onnx
        if int8:
            plain = folder / ".float32.onnx"
            graph(self.tensors, self.heads, self.eps, plain)
            quantize(plain, folder / "model.onnx")
            plain.unlink()
            return ""
        graph(self.tensors, self.heads, self.eps, folder / "model.onnx")
        if not has_all_heads(self.tensors):
            return ""  # narrower attention has no form in transformers: the ONNX file stands alone
        tensors = {name: np.ascontiguousarray(values) for name, values in self.tensors.items()}
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(bert_config(self), indent=1) + "\n", encoding="utf-8")
        return ""


@dataclass(frozen=True)
class TrainedBackbone:
    """What a training step hands over of any family: the encoder or ranker, its tokenizer and how it was made."""

    model: BackboneEncoder | BackboneRanker
    text_tokenizer: Tokenizer
    pad_id: int
    lineage: dict[str, Any]
    metrics: dict[str, Any]
    licence: str = "that of the base"
    max_tokens: int = MAX_TOKENS

    @property
    def pooling(self) -> Pooling:
        """How token states become one vector."""
        return self.model.pooling

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that goes with the weights."""
        return self.text_tokenizer

    def window(self) -> int:
        """Tokens that fit into a row."""
        return window(self.model.model.config, self.max_tokens)

    def tensors(self) -> dict[str, Floats]:
        """The backbone's weights by transformers' names, one that has two names once; and a ranker's head."""
        found: dict[int, tuple[str, Floats]] = {}
        for name, values in self.model.model.state_dict().items():
            found.setdefault(values.data_ptr(), (name, values.detach().cpu().numpy()))
        return dict(found.values()) | (self.model.head() if isinstance(self.model, BackboneRanker) else {})

    def write(self, folder: Path, rows: Sequence[list[int]], int8: bool) -> str:
        """Write model.onnx and, in float32, what the torch runtime reads; give what keeps it from int8, or ""."""
        config = self.model.model.config
        if config.model_type == "bert" and self.pooling == "mean" and config.hidden_act == "gelu":
            heads, eps, plain = config.num_attention_heads, config.layer_norm_eps, self.text_tokenizer.to_str()
            return Trained(self.tensors(), heads, eps, plain, {}, {}, self.pad_id).write(folder, rows, int8)
        exported = folder / "model.onnx"
        export_backbone(self.model, exported)
        hindrance = ""
        if int8:
            exported = exported.rename(folder / ".float32.onnx")
            if not (hindrance := quantize_backbone(exported, folder / "model.onnx", rows)):
                exported.unlink()
                return ""
            exported.rename(folder / "model.onnx")
        save_file(self.tensors(), folder / "model.safetensors")
        config.save_pretrained(folder)
        return hindrance


def write_embedder(
    folder: Path, trained: Trained | TrainedBackbone, name: str, version: str, prompts: Mapping[str, str], int8: bool
) -> Bundle:
    """The embedder's bundle in `folder`, replacing one that is there only when the new one is complete."""

    def build(scratch: Path) -> Manifest:
        tokenizer = trained.tokenizer()
        texts = (_SELF_TEST_QUERY, _SELF_TEST_PRODUCT, _BESIDE)
        rows = _cut([tokenizer.encode(prompts["query"] + normalize_text(text)).ids for text in texts], trained)
        card = _write(scratch, trained, rows, int8)
        vector = _run(scratch / "model.onnx", rows[:1])
        return _manifest("embedder", name, version, trained, card).model_copy(
            update={
                "dim": vector.shape[1],
                "prompts": {"query": prompts["query"], "document": prompts["document"]},
                "self_test": {
                    "text": _SELF_TEST_QUERY,
                    "input_type": "query",
                    "vector_head": [float(value) for value in vector[0, :8]],
                },
            }
        )

    return _replace(folder, build)


def write_ranker(
    folder: Path, trained: Trained | TrainedBackbone, name: str, version: str, calibration: Calibration, int8: bool
) -> Bundle:
    """The ranker's bundle in `folder`, replacing one that is there only when the new one is complete."""

    def build(scratch: Path) -> Manifest:
        tokenizer = trained.tokenizer()
        opening = len(tokenizer.encode("").ids) - 1
        query, *products = (
            tokenizer.encode(normalize_text(text)).ids for text in (_SELF_TEST_QUERY, _SELF_TEST_PRODUCT, _BESIDE)
        )
        pairs = [pair_row(query, product, trained.window(), opening) for product in products]
        card = _write(scratch, trained, [ids for ids, _ in pairs], int8)
        ids, types = pairs[0]
        return _manifest("ranker", name, version, trained, card).model_copy(
            update={
                "calibration": calibration,
                "self_test": {
                    "query": _SELF_TEST_QUERY,
                    "document": _SELF_TEST_PRODUCT,
                    "logit": float(_run(scratch / "model.onnx", [ids], [types])[0]),
                },
            }
        )

    return _replace(folder, build)


def student_lineage(teacher: Manifest, step: str) -> dict[str, Any]:
    """How the teacher was made, and the step that made a student of it; nothing that is true of its weights alone."""
    own = ("ledger", "ledger_latency_of", "weights_of")
    return {
        **{name: value for name, value in teacher.lineage.items() if name not in own},
        "steps": [*teacher.lineage.get("steps", []), step],
        "fewer_layers_of": teacher.digest,
    }


def _cut(rows: list[list[int]], trained: Trained | TrainedBackbone) -> list[list[int]]:
    room = trained.window()
    return [row if len(row) <= room else [*row[: room - 1], row[-1]] for row in rows]


def _write(folder: Path, trained: Trained | TrainedBackbone, rows: Sequence[list[int]], int8: bool) -> dict[str, Any]:
    """Write tokenizer and weights; give the lineage with the precision that was written."""
    trained.tokenizer().save(str(folder / "tokenizer.json"), pretty=False)
    hindrance = trained.write(folder, rows, int8)
    precision = "int8" if int8 and not hindrance else "float32"
    why = {"not_int8_because": hindrance} if hindrance else {}
    return {**trained.lineage, "precision": precision, **why}


def _manifest(
    kind: BundleKind, name: str, version: str, trained: Trained | TrainedBackbone, lineage: dict[str, Any]
) -> Manifest:
    return Manifest(
        kind=kind,
        name=name,
        version=version,
        dim=0,
        max_tokens=trained.window(),
        pooling=trained.pooling,
        pad_id=trained.pad_id,
        languages=_languages(trained.tokenizer()),
        licence=trained.licence,
        lineage=lineage,
        metrics=trained.metrics,
        self_test={},
    )


def _languages(tokenizer: Tokenizer) -> list[str]:
    """The languages whose common characters the tokenizer knows."""
    unknown = {tokenizer.token_to_id(piece) for piece in ("<unk>", "[UNK]")}
    chinese = not unknown & set(tokenizer.encode("的女男机手大小色").ids)
    return ["zh", "en"] if chinese else ["en"]


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
        "pad_token_id": trained.pad_id,
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
    written = replace_folder(folder, MANIFEST, lambda scratch: write_bundle(scratch, build(scratch)))
    return Bundle(folder, written.manifest)
