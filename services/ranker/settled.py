"""When the first results of a ranking can hardly change any more, so that the candidates left need no model.

A score is evidence, which is known before, plus what the logit adds. Within one query what it adds grows with the
evidence and lies about a line, normally: the line through those that were scored says how likely each of the others is
to come among the first, and the sum over them is how many results of the page one would miss (a probabilistic stop of
the threshold algorithm; Theobald, Weikum and Schenkel 2004).
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from services.ranker.scoring import scores_of
from vitrine.bundle import Calibration
from vitrine.errors import VitrineError
from vitrine.ports import RankCandidate
from vitrine.vectors import FloatArray

# What the line is shrunk to while few are scored, in logits: its slope, how far logits lie from it, and how many
# candidates' word this has. A six-layer ranker's on Icecat (276 queries) and on Chinese titles (400); the four-layer
# one's that ships lie at 5.7 and 7.8, 0.48 and 0.73.
_SLOPE, _DEVIATION, _WEIGHT = 7.0, 0.75, 8.0
_EVIDENCE_DEVIATION = 0.06
# So many more than are shown are scored first, and then so many at a time.
_BEYOND, _TURN = 2, 4


class Settling:
    """One ranking, whose candidates are scored in turns until the first `shown` can hardly change any more."""

    def __init__(
        self, candidates: Sequence[RankCandidate], calibration: Calibration, shown: int | None, most_missed: float
    ) -> None:
        """All in one turn where `shown` is None, `most_missed` 0, or a candidate has no evidence."""
        evidence = [candidate.evidence for candidate in candidates if candidate.evidence is not None]
        self._shown = shown if most_missed and len(evidence) == len(candidates) else None
        self._most_missed = most_missed
        self._logit_weight = calibration.evidence["logit"]
        if self._shown is not None:
            self._evidence = scores_of(np.zeros(len(candidates), dtype=np.float32), evidence, calibration)

    def next_turn(self, sound: Collection[int], outputs: Mapping[int, FloatArray | VitrineError]) -> Sequence[int]:
        """Which of the `sound` candidates the model reads next, by index; `outputs` are the logits known so far."""
        waiting = [index for index in sound if index not in outputs]
        if self._shown is None or not waiting:
            return waiting
        waiting.sort(key=lambda index: (-self._evidence[index], index))
        logits = {index: logit for index, logit in outputs.items() if not isinstance(logit, VitrineError)}
        if len(logits) < self._shown + _BEYOND:
            return waiting[: self._shown + _BEYOND - len(logits)]
        missed = expected_misses(
            self._evidence[list(logits)],
            np.array(list(logits.values()), dtype=np.float32),
            self._evidence[waiting],
            self._logit_weight,
            self._shown,
        )
        return waiting[:_TURN] if missed >= self._most_missed else []


def expected_misses(
    evidence: FloatArray, logits: FloatArray, waiting: FloatArray, logit_weight: float, shown: int
) -> float:
    """How many of the first `shown` are expected to be among the candidates that are not scored.

    `evidence`, the score without the logit, and `logits` are (n,) float32 of the n >= `shown` that are scored;
    `waiting` is the evidence of the others.
    """
    least = float(np.sort(evidence + logit_weight * logits)[-shown])
    away = evidence - evidence.mean()
    prior = _WEIGHT * _EVIDENCE_DEVIATION**2
    slope = float((away @ (logits - logits.mean()) + prior * _SLOPE) / (away @ away + prior))
    left = logits - logits.mean() - slope * away
    variance = (_WEIGHT * _DEVIATION**2 + float(left @ left)) / (_WEIGHT + len(logits))
    deviation = logit_weight * math.sqrt(variance * (1 + 1 / len(logits)))
    expected = waiting + logit_weight * (float(logits.mean()) + slope * (waiting - evidence.mean()))
    return sum(0.5 * math.erfc((least - one) / (deviation * math.sqrt(2))) for one in expected.tolist())
