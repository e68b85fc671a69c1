"""Pins: what a merchant put first stays first, whatever ranker and taste say of the rest."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.ranking import Ordered
from vitrine.ports import Candidate, SourceScore


def is_pinned(sources: Sequence[SourceScore]) -> bool:
    """Whether a merchant's rule put it there."""
    return any(found.source == "pin" for found in sources)


def apart(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """The pinned candidates and the others, each in their order."""
    pinned = [one for one in candidates if is_pinned(one.sources)]
    return pinned, [one for one in candidates if not is_pinned(one.sources)] if pinned else list(candidates)


def with_pins(pinned: Sequence[Candidate], others: Ordered) -> Ordered:
    """The pinned ones before the order of the others."""
    if not pinned:
        return others
    return replace(others, candidates=[*pinned, *others.candidates], ranks=[*(None for _ in pinned), *others.ranks])
