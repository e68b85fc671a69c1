"""How many further tries are in hand: where all calls fail, tries are a small share of the calls, and no storm."""


class RetryBudget:
    """Tries to be taken: `most` at first and at most, and `share` of one more with each call that begins."""

    def __init__(self, most: float, share: float) -> None:
        self._most = most
        self._share = share
        self._tries = most

    def begin_call(self) -> None:
        """Counts a call, which earns its share of a try."""
        self._tries = min(self._most, self._tries + self._share)

    @property
    def is_left(self) -> bool:
        """Whether there is a try in hand."""
        return self._tries >= 1

    def take(self) -> bool:
        """Takes a try; False: there is none in hand."""
        if not self.is_left:
            return False
        self._tries -= 1
        return True
