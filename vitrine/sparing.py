"""Sparing with lines of the log: of one kind some a second, each with how many were left out before it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import monotonic

_LINES = 5
_SECOND_S = 1.0


@dataclass(slots=True)
class _Kind:
    began_s: float
    lines: int = 0
    left_out: int = 0


class Sparing:
    """Says which lines are written. Kinds are few: they are kept for good.

    Under overload a refusal costs little but its line, and the lines are all alike; metrics count each.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}

    def fields(self, kind: Hashable) -> dict[str, int] | None:
        """What a line says beside its own: how many of its kind were left out before. None: it is not written."""
        now_s = self._clock()
        seen = self._kinds.setdefault(kind, _Kind(now_s))
        if now_s - seen.began_s >= _SECOND_S:
            seen.began_s, seen.lines = now_s, 0
        if seen.lines >= _LINES:
            seen.left_out += 1
            return None
        seen.lines += 1
        left_out, seen.left_out = seen.left_out, 0
        return {"left_out": left_out} if left_out else {}
