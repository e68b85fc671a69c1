"""What of a batch was refused, as errors."""

from collections.abc import Iterable
from dataclasses import dataclass

from vitrine.errors import VitrineError
from vitrine.status import error_of
from vitrine.v1.common_pb2 import ItemOutcome


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that was not done: its place in the request, its id, and why."""

    index: int
    id: str
    error: VitrineError


def refused(outcomes: Iterable[ItemOutcome]) -> list[Refused]:
    """Those of an answer's outcomes that went wrong."""
    return [Refused(one.index, one.id, error_of(one.status)) for one in outcomes if one.status.code]
