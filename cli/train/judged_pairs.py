"""Judged pairs as the served models see them, for the few-shot report; computed once and kept in the run folder."""

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cli.train.progress import Advance
from evaluation.judged_data import JudgedShop
from evaluation.judged_features import FEATURES, JudgedFeatures, read_features
from services.ranker.settings import RankerSettings
from training.errors import TrainingError
from training.few_shot_adaptations import JudgedPairs, linear_kernel, map_kernel
from training.head_states import head_states
from training.run_folder import RunFolder
from vitrine.bundle import load_bundle

_SAME_LOGIT, _SAME_SCORE = 0.05, 1e-3  # int8 kernels may differ by batch shape


def judged_pairs(
    shop: JudgedShop, embedder: Path, ranker: Path, run_dir: Path, advance: Advance
) -> tuple[JudgedPairs, dict[str, Any]]:
    """The judged pairs of a shop, and what they were made of: data and both bundles, by digest.

    Raises TrainingError when the run folder was made of other things, FailedPrecondition when a bundle can't be served.
    """
    bundle = load_bundle(ranker, "ranker")
    # Without the time of writing, which is now where a shop does not tell it.
    content = json.dumps([[repr(replace(product, update_time=None)) for product in shop.products], shop.grades])
    calibration = bundle.manifest.calibration
    if calibration is None:
        raise TrainingError(f"{ranker}: bundle.json has no calibration, so there is no score to adapt; train it again")
    weights = np.array([calibration.evidence.get(name, 0.0) for name in FEATURES])
    made_of = {
        "dataset": shop.name,
        "data": f"sha256:{hashlib.sha256(content.encode()).hexdigest()}",
        "embedder": load_bundle(embedder, "embedder").manifest.digest,
        "ranker": bundle.manifest.digest,
    }

    def make() -> dict[str, Any]:
        features = asyncio.run(read_features(embedder, ranker, shop, advance))
        advance("ranker states", 0, 1)
        states = head_states(bundle, features.queries, features.texts, RankerSettings().max_query_tokens)
        advance("ranker states", 1, 1)
        if (away := float(np.abs(states.logits - features.evidence[:, 0]).max())) > _SAME_LOGIT:
            raise TrainingError(f"{ranker}: logits read from the graph are {away:.3f} off those served")
        if (away := float(np.abs(features.evidence @ weights - features.scores).max())) > _SAME_SCORE:
            raise TrainingError(f"{ranker}: scores made of the evidence are {away:.4f} off those served")
        return _arrays(features) | {"head_states": states.states}

    kept: dict[str, Any] = RunFolder(run_dir, "few-shot", made_of).arrays("judged-pairs", make)
    exact = {name: kept[name].astype(np.float64) for name in kept if kept[name].dtype.kind == "f"}
    pairs = JudgedPairs(
        queries=kept["queries"].tolist(),
        product_ids=kept["product_ids"].tolist(),
        grades=exact["grades"],
        evidence=exact["evidence"],
        map_kernel=map_kernel(exact["query_vectors"], exact["product_vectors"]),
        head_kernel=linear_kernel(exact["head_states"]),
        weights=weights,
        platt=(calibration.scale, calibration.bias),
    )
    return pairs, made_of


def _arrays(features: JudgedFeatures) -> dict[str, Any]:
    return {
        "queries": np.array(features.queries),
        "product_ids": np.array(features.product_ids),
        "grades": features.grades,
        "evidence": features.evidence,
        "query_vectors": features.query_vectors,
        "product_vectors": features.product_vectors,
    }
