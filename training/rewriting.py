"""Writes a BERT bundle's weights into the graph that this version writes: same weights and card, another digest.

For a graph that computes the same faster. Int8 weights come back as the integers that they were.
"""

from pathlib import Path

from training.bases import NO_PROMPTS, manifest_of
from training.bundles import Trained, write_embedder, write_ranker
from training.errors import TrainingError
from training.onnx_weights import read_onnx_bert
from vitrine.bundle import MANIFEST, Bundle, write_bundle
from vitrine.inference import ONNX_FILE
from vitrine.tokenization import TOKENIZER_FILE


def rewrite_bundle(source: Path, out: Path, version: str) -> Bundle:
    """The bundle of `source` written anew to `out`, which may be `source`.

    Raises TrainingError when `source` is no whole bundle, or its graph is not one that this project writes for BERT.
    """
    card = manifest_of(source)
    weights = read_onnx_bert(source / ONNX_FILE)
    trained = Trained(
        tensors={**weights.tensors, **weights.head},
        heads=weights.heads,
        eps=weights.eps,
        tokenizer_json=(source / TOKENIZER_FILE).read_text(encoding="utf-8"),
        lineage={**card.lineage, "weights_of": card.digest},
        metrics=card.metrics,
        pad_id=card.pad_id,
        licence=card.licence,
        max_tokens=card.max_tokens,
    )
    if card.kind == "embedder":
        prompts = NO_PROMPTS | {str(name): prompt for name, prompt in card.prompts.items()}
        written = write_embedder(out, trained, card.name, version, prompts, weights.int8)
    elif card.calibration is not None:
        written = write_ranker(out, trained, card.name, version, card.calibration, weights.int8)
    else:
        raise TrainingError(f"{source / MANIFEST} has no calibration; a ranker's is needed")
    # The writer tells the languages by the tokenizer; the card may know of more.
    return write_bundle(written.folder, written.manifest.model_copy(update={"languages": card.languages}))
