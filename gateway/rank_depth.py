"""How many candidates the ranker can order in the time that is left."""

_WEIGHT = 0.2
# The least that is tried: an estimate made under load is corrected once it is over.
PROBE = 4
# The share of the time left that one call is expected to take: one that takes twice as long still ends in time.
_SHARE = 0.5


class RankDepth:
    """Fits the depth of a call to the time left, by what a pair cost of late, waiting included.

    That is the time of calls over their pairs, of both a moving average: a call of few pairs, whose wait is most of its
    time, says little of what a pair costs.
    """

    def __init__(self, min_time_s: float) -> None:
        """With less than `min_time_s` left nothing is ranked."""
        self._min_time_s = min_time_s
        self._pairs = self._duration_s = 0.0

    @property
    def pair_cost_s(self) -> float | None:
        """What a pair is expected to cost; None: nobody knows."""
        return max(self._duration_s / self._pairs, 1e-6) if self._pairs else None

    def another(self) -> "RankDepth":
        """One for another ranker, whose pairs cost something else."""
        return RankDepth(self._min_time_s)

    def fit(self, asked: int, time_left_s: float, *, is_first: bool, enough: int | None = None) -> int:
        """At most `asked`; 0 when there is no time worth trying.

        A search's first call is a probe at least, and no more than that while nothing is known of the cost. A ranker
        that scores the best `enough` first, and others while it has time, is asked for all where these fit.
        """
        if asked == 0 or time_left_s < self._min_time_s:
            return 0
        least = min(asked, PROBE)
        cost_s = self.pair_cost_s
        affordable = 0 if cost_s is None else int(_SHARE * time_left_s / cost_s)
        if affordable < least:
            return least if is_first else 0
        return asked if enough is not None and affordable >= enough else min(asked, affordable)

    def measured(self, pairs: int, duration_s: float) -> None:
        """Takes in that `pairs` > 0 took `duration_s`."""
        weight = _WEIGHT if self._pairs else 1.0
        self._pairs += weight * (pairs - self._pairs)
        self._duration_s += weight * (duration_s - self._duration_s)

    def given_up(self) -> None:
        """Takes in that a call was too slow by nobody knows how much: the next begins with a probe."""
        self._pairs = self._duration_s = 0.0
