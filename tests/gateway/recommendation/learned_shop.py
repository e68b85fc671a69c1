"""A small recommender of the sample shop: real files, of which the fusion has the weights that learning starts from."""

from pathlib import Path

import numpy as np

from gateway.recommendation.features import FEATURES, GROUPS
from tests.recommender_bundle import learned_products, write_recommender_bundle
from training.recommendation.fusion_model import WideAndDeep
from training.recommendation.fusion_onnx import export_fusion
from vitrine.recommender_bundle import (
    FUSION_FILE,
    FusionCalibration,
    FusionManifest,
    RecommenderBundle,
    write_recommender,
)

# Of the shop's products p000 to p239 it knows these. Bought with product n was n + 3, chosen with it were n + 1, n + 2.
KNOWN = [f"p{number:03}" for number in range(200)]


def write_learned(folder: Path, embedder_digest: str, text_dim: int, seed: int = 0) -> RecommenderBundle:
    """The recommender's bundle; another `seed`, another digest."""
    manifest = FusionManifest(features=FEATURES, groups=GROUPS, calibration=FusionCalibration(scale=1.0, bias=-seed))
    bundle = write_recommender_bundle(
        folder, learned_products(KNOWN, text_dim), embedder_digest=embedder_digest, fusion=manifest
    )
    export_fusion(WideAndDeep(np.ones(len(FEATURES), np.float32)), folder / FUSION_FILE)
    return write_recommender(folder, bundle.manifest)
