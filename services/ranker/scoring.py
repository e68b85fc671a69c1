"""From logits and evidence to scores and probabilities."""

from collections.abc import Sequence

import numpy as np

from vitrine.bundle import Calibration
from vitrine.ports import Evidence
from vitrine.vectors import FloatArray

# The float32 next to 1: a probability is inside (0, 1) however strong the hit.
_HIGHEST = np.nextafter(np.float32(1), np.float32(0))


def scores_of(logits: FloatArray, evidence: Sequence[Evidence | None], calibration: Calibration) -> FloatArray:
    """(n,) float32 scores: the calibration's weighted sum of logit, dense and lexical evidence.

    Where nobody has evidence the logit alone is weighed. A candidate without evidence among others that have some gets
    their mean, so that its logit decides where it stands: with zeros it would lose to every one of them, and left out
    of the sum it would be compared on another scale.
    """
    known = np.array([[e.dense, e.lexical] for e in evidence if e is not None], dtype=np.float32).reshape(-1, 2)
    default = known.mean(axis=0, dtype=np.float32) if len(known) else np.zeros(2, dtype=np.float32)
    features = np.tile(default, (len(logits), 1))
    features[[e is not None for e in evidence]] = known
    weights = calibration.evidence
    weight = np.array([weights.get("dense", 0.0), weights.get("lexical", 0.0)], dtype=np.float32)
    return (logits * np.float32(weights["logit"]) + features @ weight).astype(np.float32)


def probabilities_of(scores: FloatArray, calibration: Calibration) -> FloatArray:
    """(n,) float32 in (0, 1): sigmoid(scale * score + bias), applied once, and growing with the score.

    It is calibrated on scores with evidence; from the logit alone it still grows with the score, but promises no rate.
    Two strong hits may share the float32 next to 1; the order is by score, never by this.
    """
    # Beyond 80 float32 has long run out of numbers near 1, and exp would overflow.
    wide = np.clip(scores.astype(np.float64) * calibration.scale + calibration.bias, -80.0, 80.0)
    return np.minimum((1.0 / (1.0 + np.exp(-wide))).astype(np.float32), _HIGHEST)
