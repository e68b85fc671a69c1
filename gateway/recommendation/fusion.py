"""The fusion model as the gateway serves it: features of candidates to contributions that add up to a score."""

import asyncio
import os
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.recommendation.features import FEATURES, GROUPS
from gateway.recommendation.query import Source
from gateway.releases.current import current_release
from vitrine.errors import FailedPrecondition, Internal
from vitrine.recommender_bundle import FUSION_FILE, FusionManifest, load_recommender
from vitrine.served_models import served
from vitrine.vectors import FloatArray

SOURCES = tuple(map(Source, GROUPS))
# So many candidates take less time than a thread that they are handed over to.
_FEW = 512


class _Model:
    """A recommender bundle's fusion.onnx, on one thread: a call's candidates are too few to share out."""

    def __init__(self, folder: Path) -> None:
        """Reads and verifies the bundle.

        Raises FailedPrecondition when it is not there or damaged, or its features or groups are not those of this code.
        """
        # Its telemetry starts with the import, keeps a device id under HOME, and has no other switch that stops it.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        bundle = load_recommender(folder)
        self.digest = bundle.manifest.digest
        self.calibration = _checked(bundle.manifest.fusion, folder).calibration
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        weights = bundle.path(FUSION_FILE)
        try:
            self.session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise FailedPrecondition(f"ONNX Runtime cannot load {weights}: {error}") from error


class Fusion:
    """The fusion models of one recommender or several: that of the release which answers the call, else the first."""

    def __init__(self, folder: Path, *further: Path) -> None:
        """Raises FailedPrecondition when a bundle is not there or damaged, or is not for this code."""
        models = [_Model(one) for one in (folder, *further)]
        self._models = {model.digest: model for model in reversed(models)}
        self._first = models[0].digest

    @property
    def digest(self) -> str:
        """The digest of this call's recommender."""
        return self._model.digest

    @property
    def digests(self) -> tuple[str, ...]:
        """Those of all, the first one first."""
        return (self._first, *(digest for digest in self._models if digest != self._first))

    @property
    def _model(self) -> _Model:
        """Raises FailedPrecondition when the release's recommender is not served."""
        named = current_release().recommender_digest or self._first
        return served(self._models, named, "VITRINE_RECOMMENDATION_FURTHER_BUNDLES")

    async def contributions(self, features: FloatArray) -> FloatArray:
        """(n, len(SOURCES)) float32 of (n, len(FEATURES)) features; a candidate's score is their sum, as log-odds.

        Raises Internal when the model gives a number that is not finite.
        """
        run = partial(self._model.session.run, ["contributions"], {"features": features})
        contributions: FloatArray = (run() if len(features) <= _FEW else await asyncio.to_thread(run))[0]
        if not np.isfinite(contributions).all():
            raise Internal("the fusion model gave a number that is not finite", reason="NOT_FINITE")
        return contributions

    def probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The calibrated probabilities (n,) of a click, in (0, 1)."""
        calibration = self._model.calibration
        logits = np.clip(calibration.scale * scores + calibration.bias, -60.0, 60.0)
        return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float64)


def _checked(manifest: FusionManifest | None, folder: Path) -> FusionManifest:
    if manifest is None:
        raise FailedPrecondition(f"recommender {folder} has no fusion model; train it with events of visitors")
    for name, theirs, ours in (("features", manifest.features, FEATURES), ("groups", manifest.groups, GROUPS)):
        if theirs != ours:
            unknown, lacking = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
            raise FailedPrecondition(
                f"recommender {folder} has other fusion {name} than this gateway: it has {unknown or 'the same'} and"
                f" lacks {lacking or 'none'}{'' if unknown or lacking else ', in another order'}; its {name} are"
                f" {', '.join(theirs)} and this gateway's {', '.join(ours)}: train it again with this version",
                reason="FUSION_MISMATCH",
            )
    return manifest
