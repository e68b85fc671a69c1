"""Writes a trained recommender as a bundle, swapped in whole."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from gateway.recommendation.features import FEATURES, GROUPS
from training.recommendation.fusion_onnx import export_fusion
from training.recommendation.recommender import Parts
from training.recommendation.sequence_onnx import export_sequence
from training.whole_folder import replace_folder
from vitrine.bundle import MANIFEST
from vitrine.learned_products import LearnedProducts, write_learned_products
from vitrine.ports import ModelInfo
from vitrine.recommender_bundle import (
    FUSION_FILE,
    HISTORY_FILE,
    FusionCalibration,
    FusionManifest,
    RecommenderBundle,
    RecommenderManifest,
    write_recommender,
)

_KNOWN_ITEMS = 3
_VIEW_ITEM = 4  # the contract's number


def write_bundle(
    folder: Path,
    parts: Parts,
    product_ids: tuple[str, ...],
    embedder: ModelInfo,
    *,
    name: str,
    version: str,
    lineage: dict[str, Any],
    metrics: dict[str, Any],
) -> RecommenderBundle:
    """The recommender's bundle in `folder`, replacing one that is there only when the new one is complete.

    Raises TrainingError when the folder holds something else or cannot be written.
    """

    def build(scratch: Path) -> RecommenderBundle:
        sequence, sources, fusion = parts.sequence, parts.sources, parts.fusion
        assert sources.als is not None
        export_sequence(sequence, scratch / HISTORY_FILE)
        export_fusion(fusion.model, scratch / FUSION_FILE)
        learned = LearnedProducts(
            projection=sequence.projection,
            bias=sequence.bias,
            ids=product_ids,
            trained_events=sources.trained_events,
            residuals=sequence.residuals.astype(np.float16),
            factors=sources.als.factors,
            neighbours=sources.neighbours,
        )
        write_learned_products(scratch, learned)
        return write_recommender(
            scratch,
            RecommenderManifest(
                name=name,
                version=version,
                dim=sequence.dim,
                text_dim=embedder.dim,
                embedder_digest=embedder.digest,
                max_history=sequence.max_history,
                als_regularization=sources.als.regularization,
                als_alpha=sources.als.alpha,
                fusion=FusionManifest(
                    features=FEATURES,
                    groups=GROUPS,
                    calibration=FusionCalibration(scale=fusion.scale, bias=fusion.bias),
                ),
                licence="that of the events and of the embedder",
                lineage=lineage,
                metrics=metrics,
                self_test=_known_answer(scratch / HISTORY_FILE, parts),
            ),
        )

    made = replace_folder(folder, MANIFEST, build)
    return RecommenderBundle(folder, made.manifest)


def _known_answer(history: Path, parts: Parts) -> dict[str, Any]:
    """A history of some products and its vector, for the embedder to try itself on."""
    items = parts.sequence.product_vectors()[:_KNOWN_ITEMS]
    types = np.full(len(items), _VIEW_ITEM)
    ages_s = np.arange(len(items), 0, -1) * 60.0
    session = onnxruntime.InferenceSession(history, providers=["CPUExecutionProvider"])
    inputs = {"items": items[None], "event_types": types[None], "ages": np.log1p(ages_s)[None].astype(np.float32)}
    (vectors,) = session.run(["vectors"], inputs)
    return {
        "items": items.astype(float).tolist(),
        "event_types": types.tolist(),
        "ages_s": ages_s.tolist(),
        "vector": vectors[0].astype(float).tolist(),
    }
