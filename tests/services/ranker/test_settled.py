"""When the rest need not be scored: the chance holds where logits lie as assumed, and all are scored without it."""

import numpy as np
import pytest

from services.ranker.settled import Settling, expected_misses
from vitrine.bundle import Calibration
from vitrine.ports import Evidence, RankCandidate
from vitrine.vectors import FloatArray

CALIBRATION = Calibration(scale=1.0, bias=0.0, evidence={"logit": 0.06, "dense": 1.0, "lexical": 0.1})
SHOWN = 10


def drawn(seed: int) -> tuple[FloatArray, FloatArray]:
    """Evidence, best first, and logits that lie about a line of the query's own."""
    draw = np.random.default_rng(seed)
    evidence = np.sort(draw.normal(0.6, 0.06, 32))[::-1].astype(np.float32)
    logits = draw.normal(0, 1) + 7 * (evidence - 0.6) + draw.normal(0, 0.75, 32)
    return evidence, logits.astype(np.float32)


def test_as_many_are_missed_as_expected_at_most() -> None:
    expected, missed = [], []
    for seed in range(400):
        evidence, logits = drawn(seed)
        expected.append(expected_misses(evidence[:14], logits[:14], evidence[14:], 0.06, SHOWN))
        best = np.argsort(-(evidence + 0.06 * logits), kind="stable")[:SHOWN]
        missed.append(int((best >= 14).sum()))
    # Rather too many than too few: those that are not scored also push each other out.
    assert 0.6 * np.mean(expected) < np.mean(missed) < np.mean(expected)
    # Where many are expected there are many: it tells queries apart.
    likely = np.argsort(expected)
    assert np.mean(np.array(missed)[likely[:100]]) < 0.5 * np.mean(np.array(missed)[likely[-100:]])


def candidates(evidence: FloatArray) -> list[RankCandidate]:
    return [RankCandidate(f"p{n}", "text", 1, Evidence(float(one), 0.0)) for n, one in enumerate(evidence)]


def scored(settling: Settling, logits: FloatArray) -> list[int]:
    outputs: dict[int, FloatArray] = {}
    while turn := settling.next_turn(range(len(logits)), outputs):
        outputs |= {index: logits[index] for index in turn}
    return list(outputs)


def test_the_page_is_as_it_were_with_all_scored_but_for_what_may_be_missed() -> None:
    missed, read = 0, 0
    for seed in range(200):
        evidence, logits = drawn(seed)
        found = scored(Settling(candidates(evidence), CALIBRATION, SHOWN, 0.1), logits)
        best = np.argsort(-(evidence + 0.06 * logits), kind="stable")[:SHOWN]
        missed += len(set(best.tolist()) - set(found))
        read += len(found)
    assert missed <= 0.1 * 200
    assert read < 0.85 * 32 * 200


def test_best_evidence_first_and_ties_as_retrieved() -> None:
    evidence = np.array([0.1, 0.9, 0.5, 0.5], dtype=np.float32)
    settling = Settling(candidates(evidence), CALIBRATION, 1, 0.1)
    assert settling.next_turn(range(4), {}) == [1, 2, 3]


@pytest.mark.parametrize(("shown", "most_missed", "first"), [(None, 0.1, 0.5), (SHOWN, 0.0, 0.5), (SHOWN, 0.1, None)])
def test_all_are_scored_at_once_where_not_asked_otherwise(
    shown: int | None, most_missed: float, first: float | None
) -> None:
    asked = candidates(drawn(1)[0])
    asked[0] = RankCandidate("first", "text", 1, None if first is None else Evidence(first, 0.0))
    assert Settling(asked, CALIBRATION, shown, most_missed).next_turn(range(32), {}) == list(range(32))
