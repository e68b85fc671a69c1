"""Buckets: where a visitor stands in an experiment, always the same, and apart from where in any other."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate


def point(experiment: str, salt: str, visitor_id: str) -> float:
    """The visitor's point in [0, 1): even over visitors, independent between experiments and salts."""
    text = f"{experiment}\0{salt}\0{visitor_id}".encode("utf-8", "surrogatepass")
    # 53 bits: all that a float in [0, 1) can tell apart.
    return (int.from_bytes(blake2b(text, digest_size=8).digest()) >> 11) * 2.0**-53


def arm_at(at: float, weights: Sequence[float], traffic: float) -> int | None:
    """Which arm's range holds the point; None: no arm's.

    Each arm has room in proportion to its weight and takes the first `traffic` of it, in (0, 1]. So who is in an arm
    stays there while traffic grows, and the arms' shares among visitors are the weights' at any traffic.
    """
    whole = sum(weights)
    for arm, (end, weight) in enumerate(zip(accumulate(weights), weights, strict=True)):
        if at * whole < end:
            return arm if at * whole < end - weight * (1.0 - traffic) else None
    return None
