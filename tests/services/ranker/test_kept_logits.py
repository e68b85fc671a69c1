"""Logits kept between calls: by query and version, bounded, never another text's."""

from dataclasses import replace

import numpy as np

from services.ranker.kept_logits import KeptLogits
from vitrine.ports import Evidence, RankCandidate

WATCH = RankCandidate("watch", "a watch", 3, Evidence(0.5, 0.1))
LOGIT = np.array(1.5, dtype=np.float32)


def test_by_query_and_version_and_text_whatever_the_evidence() -> None:
    kept = KeptLogits(10)
    kept.put("gift", WATCH, LOGIT)
    others = [replace(WATCH, id="other"), replace(WATCH, revision=4), replace(WATCH, text="another watch")]
    assert kept.get("gift", [*others, replace(WATCH, evidence=None)]) == {3: LOGIT}
    assert kept.get("present", [WATCH]) == {}


def test_revision_0_and_limit_0_keep_nothing() -> None:
    kept, none = KeptLogits(10), KeptLogits(0)
    kept.put("gift", replace(WATCH, revision=0), LOGIT)
    none.put("gift", WATCH, LOGIT)
    assert kept.get("gift", [replace(WATCH, revision=0)]) == none.get("gift", [WATCH]) == {}


def test_the_least_used_leaves_first() -> None:
    kept = KeptLogits(2)
    one, two, three = (replace(WATCH, id=name) for name in "abc")
    kept.put("gift", one, LOGIT)
    kept.put("gift", two, LOGIT)
    assert kept.get("gift", [one])
    kept.put("gift", three, LOGIT)
    assert list(kept.get("gift", [one, two, three])) == [0, 2]
