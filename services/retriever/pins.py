"""Pins: products that a merchant's rules put first, among those that live and that the filter allows."""

import numpy as np

from services.retriever.columns import IntArray
from services.retriever.filters import FilterPlan
from services.retriever.rules import Ruling
from services.retriever.snapshot import Snapshot


def pinned_positions(snapshot: Snapshot, plan: FilterPlan, ruling: Ruling) -> IntArray:
    """Positions of the ruling's pins, in its order; without those that are not there or that the plan refuses."""
    rows = snapshot.rows_of(ruling.pins)
    living = np.array([rows[pin] for pin in ruling.pins if pin in rows], np.int64)
    positions = snapshot.columns.positions_of(living)
    positions = positions[positions >= 0]
    return positions[snapshot.columns.allowed(plan)[positions]] if len(positions) else positions


def first(pinned: IntArray, others: IntArray) -> IntArray:
    """The pinned ones and then the others, none twice."""
    return np.concatenate([pinned, others[~np.isin(others, pinned)]]) if len(pinned) else others
