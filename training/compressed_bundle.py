"""The bundle that compression leaves: the card of the bundle it was made from, with new steps and the ledger."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from training.bases import Base
from training.compressed_body import Body
from training.errors import TrainingError
from training.fidelity import MeasuredModel
from training.ledger import Entry, ledger
from training.vocabulary_check import written_languages
from training.whole_folder import check_replaceable, replace_folder
from vitrine.bundle import MANIFEST, Bundle, Manifest, load_bundle, write_bundle
from vitrine.errors import FailedPrecondition
from vitrine.inference import ONNX_FILE
from vitrine.text import normalize_text
from vitrine.tokenization import TOKENIZER_FILE

_MAX_TOKENS = 256
_TEXT = "无线 bluetooth headphones"
_PRODUCT = "sony wh-1000xm4 wireless headphones black"
_WRITTEN = (ONNX_FILE, TOKENIZER_FILE)


def check_out(out: Path) -> None:
    """Raise TrainingError when `out` holds something that is no bundle."""
    check_replaceable(out, MANIFEST)


def manifest_of(base: Base, body: Body) -> Manifest:
    """The card to go on from: that of a bundle, or a new one for another base."""
    folder = Path(base.source)
    if (folder / MANIFEST).is_file():
        try:
            return load_bundle(folder, body.kind).manifest
        except FailedPrecondition as error:
            raise TrainingError(error.message) from error
    positions = body.tensors["embeddings.position_embeddings.weight"].shape[0]
    return Manifest(
        kind="embedder",
        name=folder.name.replace("packaged:", "") or "compressed",
        version="1.0.0",
        dim=body.tensors["embeddings.LayerNorm.weight"].shape[0],
        max_tokens=min(_MAX_TOKENS, positions),
        prompts={"query": base.prompts.get("query", ""), "document": base.prompts.get("document", "")},
        languages=written_languages(base.tokenizer),
        licence=f"as its base, {base.source}",
        lineage=base.lineage,
        self_test={"text": _TEXT, "input_type": "query"},
    )


def write_compressed(
    out: Path, folder: Path, manifest: Manifest, float32: Body | None, entries: Sequence[Entry], lineage: dict[str, Any]
) -> Bundle:
    """Put the model in `folder` into `out`, replacing a bundle that is there only when the new one is complete.

    `float32`: the weights to lay beside it, where it is not quantised. Heads of different width have no form in
    transformers, so a float32 bundle without some of its heads holds the ONNX file alone.
    """

    def build(scratch: Path) -> Manifest:
        for name in _WRITTEN:
            shutil.copyfile(folder / name, scratch / name)
        if float32 is not None and not float32.kept_heads:
            tensors = {**float32.tensors, **float32.head}
            save_file({name: np.ascontiguousarray(one) for name, one in tensors.items()}, scratch / "model.safetensors")
            float32.module().model.config.to_json_file(scratch / "config.json")
        before = {"base": manifest.name, "base_digest": manifest.digest, "before": manifest.lineage}
        card = manifest.model_copy(
            update={
                "lineage": {**before, **lineage, **ledger(manifest.kind, entries)},
                "metrics": {},
                "self_test": _self_test(scratch, manifest),
            }
        )
        return write_bundle(scratch, card).manifest

    return Bundle(out, replace_folder(out, MANIFEST, build))


def _self_test(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """The same input as before, with the new model's answer."""
    prompts = {str(name): text for name, text in manifest.prompts.items()}
    model = MeasuredModel(folder, manifest.kind, prompts, manifest.max_tokens)
    test = manifest.self_test
    if manifest.kind == "ranker":
        query, document = normalize_text(test.get("query", _TEXT)), normalize_text(test.get("document", _PRODUCT))
        return {**test, "logit": float(model.logits([(query, (document,))])[0])}
    vector = model.vectors([normalize_text(test.get("text", _TEXT))], test.get("input_type", "query"))[0]
    return {**test, "vector_head": [float(value) for value in vector[:8]]}
