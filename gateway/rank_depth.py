"""How many candidates the ranker can order in the time that is left."""

_WEIGHT = 0.2
# A search with hardly any room still ranks this many, so that an estimate made under load is corrected once it is over.
_PROBE = 4


class RankDepth:
    """Fits the depth to the time left, by a moving average of what one pair cost lately, waiting included."""

    def __init__(self, pair_cost_s: float, min_time_s: float) -> None:
        """`pair_cost_s` is the first guess; with less than `min_time_s` left nothing is ranked."""
        self.pair_cost_s = pair_cost_s
        self._min_time_s = min_time_s

    def fit(self, asked: int, time_left_s: float) -> int:
        """At most `asked`; 0 when there is no time worth trying."""
        if asked == 0 or time_left_s < self._min_time_s:
            return 0
        return min(asked, max(_PROBE, int(time_left_s / self.pair_cost_s)))

    def measured(self, pairs: int, duration_s: float) -> None:
        """Takes in that `pairs` > 0 took `duration_s`, or at least as long, when they were given up."""
        self.pair_cost_s += _WEIGHT * (duration_s / pairs - self.pair_cost_s)
        self.pair_cost_s = max(self.pair_cost_s, 1e-6)
