"""The ratio of the p99 of searches beside compaction and alone."""

import numpy as np
import pytest

from loadtest.compaction import ratio_of_p99


def test_ratio_is_of_all_turns_and_within_what_its_turns_span() -> None:
    alone = [np.full(50, 10.0), np.full(50, 10.0), np.full(50, 10.0)]
    beside = [np.full(40, 11.0), np.full(40, 12.0), np.full(40, 12.0)]
    ratio, low, high = ratio_of_p99(alone, beside)
    assert ratio == pytest.approx(1.2)
    assert low <= ratio <= high == pytest.approx(1.2)
