"""What a query's showings say of its products, corrected for position.

A gain is divided by how likely its position is examined, clipped (Joachims et al. 2017, "Unbiased Learning-to-Rank with
Biased Feedback"). What a search showed above its lowest action, or right below it, and nobody took, was seen and
skipped (Joachims et al. 2005, "Accurately interpreting clickthrough data").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from training.sources.examination import Examination
from training.sources.store import SourceStore

_SHOWN = "SELECT query, search, product, position, kind FROM shown ORDER BY query, search, position"


@dataclass(frozen=True)
class EventWeights:
    """What an action is worth, and how position bias is taken out. `eta`: of positions that the log does not tell."""

    click: float = 1.0
    cart: float = 3.0
    purchase: float = 5.0
    eta: float = 1.0
    max_inverse: float = 10.0

    def gain(self, kind: int) -> float:
        """Of an event_rows.Kind."""
        return (0.0, self.click, self.cart, self.purchase)[kind]


@dataclass
class Evidence:
    """Of one product for one query."""

    showings: int = 0
    gain: float = 0.0  # summed, corrected for position
    unseen: float = 1.0  # probability that no showing was examined
    skipped: bool = False  # where shoppers surely looked

    @property
    def mean_gain(self) -> float:
        return self.gain / self.showings


def click_evidence(
    store: SourceStore, examination: Examination, weights: EventWeights
) -> Iterator[tuple[str, Mapping[str, Evidence]]]:
    """Each query with its products' evidence, streamed."""
    for query, group in groupby(store.rows(_SHOWN), key=itemgetter(0)):
        evidence: dict[str, Evidence] = {}
        for _, search in groupby(group, key=itemgetter(1)):
            _add(evidence, list(search), examination, weights)
        yield query, evidence


def _add(
    evidence: dict[str, Evidence], search: list[tuple[Any, ...]], examination: Examination, weights: EventWeights
) -> None:
    lowest = max((position for *_, position, kind in search if kind > 0), default=-1)
    for *_, product, position, kind in search:
        one = evidence.setdefault(product, Evidence())
        examined = examination.at(position)
        one.showings += 1
        one.unseen *= 1.0 - examined
        one.gain += weights.gain(kind) * min(1.0 / examined, weights.max_inverse)
        one.skipped = one.skipped or (kind == 0 and position <= lowest + 1)
