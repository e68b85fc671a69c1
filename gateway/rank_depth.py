"""How many candidates the ranker can order in the time that is left."""

_WEIGHT = 0.2
# The least that is tried: an estimate made under load is corrected once it is over.
_PROBE = 4
# The share of the time left that one call is expected to take: one that takes twice as long still ends in time.
_SHARE = 0.5


class RankDepth:
    """Fits the depth of a call to the time left, by a moving average of what one pair cost, waiting included."""

    def __init__(self, min_time_s: float) -> None:
        """With less than `min_time_s` left nothing is ranked."""
        self.pair_cost_s: float | None = None
        self._min_time_s = min_time_s

    def another(self) -> "RankDepth":
        """One for another ranker, whose pairs cost something else."""
        return RankDepth(self._min_time_s)

    def fit(self, asked: int, time_left_s: float, *, is_first: bool) -> int:
        """At most `asked`; 0 when there is no time worth trying.

        A search's first call is a probe at least, and no more than that while nothing is known of the cost.
        """
        if asked == 0 or time_left_s < self._min_time_s:
            return 0
        least = min(asked, _PROBE)
        affordable = 0 if self.pair_cost_s is None else int(_SHARE * time_left_s / self.pair_cost_s)
        if affordable < least:
            return least if is_first else 0
        return min(asked, affordable)

    def measured(self, pairs: int, duration_s: float) -> None:
        """Takes in that `pairs` > 0 took `duration_s`."""
        cost_s = max(duration_s / pairs, 1e-6)
        self.pair_cost_s = cost_s if self.pair_cost_s is None else (1 - _WEIGHT) * self.pair_cost_s + _WEIGHT * cost_s

    def given_up(self) -> None:
        """Takes in that a call was too slow by nobody knows how much: the next begins with a probe."""
        self.pair_cost_s = None
