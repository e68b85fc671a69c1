"""Pins: what a merchant put first, and the very model that was asked for, stay first, whatever ranker and taste say."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from gateway.ranking import Ordered
from vitrine.ports import Candidate, SourceScore


def is_pinned(sources: Sequence[SourceScore]) -> bool:
    """Whether a merchant's rule put it there, or it is the model that was asked for by its number."""
    return any(found.source in ("pin", "model_number") for found in sources)


def apart(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """The pinned candidates, which the retriever puts first, and the others."""
    pinned = list(takewhile(lambda one: is_pinned(one.sources), candidates))
    return pinned, list(candidates[len(pinned) :])


def with_pins(pinned: Sequence[Candidate], others: Ordered) -> Ordered:
    """The pinned ones before the order of the others."""
    if not pinned:
        return others
    return replace(others, candidates=[*pinned, *others.candidates], ranks=[*(None for _ in pinned), *others.ranks])
