"""Sorted lists: products that match by price or age, page by page, each once whatever is written meanwhile.

A list is that of its first page: each product stands where its version of then stands, though it is shown as it is
now; one that came later is not in it, one that is gone or no longer matches is left out. A product whose version of
then was removed from memory (by compaction, or because the process began later) is left out, too, and not shown twice.
"""

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.retriever.columns import ColumnsView, IntArray
from vitrine.errors import invalid

ORDERS = ("price", "price desc", "newest")
RELEVANCE = ("", "relevance")
# Number of the order, row key up to which the first page saw, value and tie of the last product shown.
_CURSOR = struct.Struct("<Bqdq")
# Products to come first are numbered from here: before any price or time.
_FIRST = -1e15

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a list goes on: after (value, tie), in the order that the first page saw up to `last_row`."""

    order_by: str
    last_row: int
    value: float = -math.inf
    tie: int = 0

    def encoded(self) -> str:
        """As text for the caller to hand back."""
        packed = _CURSOR.pack(ORDERS.index(self.order_by), self.last_row, self.value, self.tie)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def cursor_of(text: str, order_by: str) -> Cursor:
    """The cursor in a text. Raises InvalidArgument when it is damaged or of another order."""
    try:
        number, *rest = _CURSOR.unpack(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, struct.error, ValueError):
        raise invalid("cursor", "is damaged; send next_cursor as it was given, or none for the beginning") from None
    if number >= len(ORDERS) or ORDERS[number] != order_by:
        raise invalid("cursor", "belongs to another order_by; send none for the beginning")
    return Cursor(order_by, *rest)


def check_order(order_by: str) -> None:
    """Raises InvalidArgument for an order that is none."""
    if order_by not in (*RELEVANCE, *ORDERS):
        known = ", ".join(repr(order) for order in ("relevance", *ORDERS))
        raise invalid("order_by", f"{order_by!r} is not an order; use one of {known}")


def sorted_positions(
    columns: ColumnsView, positions: IntArray, cursor: Cursor, first: IntArray, limit: int
) -> tuple[IntArray, str]:
    """The next `limit` of ascending `positions` in the cursor's order, and the cursor of what follows, "" if nothing.

    `first` are positions that come before all others, in their order, where they are among these.
    """
    places = _places_then(columns, positions, cursor.last_row)
    listed = places >= 0
    positions, places = positions[listed], places[listed]
    values, ties = _keys(columns, places, cursor.order_by)
    _put_first(values, ties, positions, first)
    later = (values > cursor.value) | ((values == cursor.value) & (ties > cursor.tie))
    positions, values, ties = positions[later], values[later], ties[later]
    if not len(positions):
        return positions, ""
    has_more = len(positions) > limit
    if has_more:
        head = values <= np.partition(values, limit - 1)[limit - 1]
        positions, values, ties = positions[head], values[head], ties[head]
    order = np.lexsort((ties, values))[:limit]
    last = order[-1]
    following = Cursor(cursor.order_by, cursor.last_row, float(values[last]), int(ties[last]))
    return positions[order], following.encoded() if has_more else ""


def beginning(columns: ColumnsView, order_by: str) -> Cursor:
    """The cursor of a first page."""
    return Cursor(order_by, int(columns.rows[-1]) if len(columns.rows) else 0, -math.inf, np.iinfo(np.int64).min)


def _keys(columns: ColumnsView, places: IntArray, order_by: str) -> tuple[FloatArray, IntArray]:
    """Values and ties by which the versions at these places are in ascending order; what has no value comes last."""
    key = "update_time" if order_by == "newest" else "price"
    rows = columns.rows[places]
    numbers = columns.fields.number_column(key)
    values = np.full(len(places), np.nan) if numbers is None else numbers.each(places, len(columns.rows))
    signed = values if order_by == "price" else -values
    return np.where(np.isnan(signed), np.inf, signed), -rows if order_by == "newest" else rows


def _places_then(columns: ColumnsView, positions: IntArray, last_row: int) -> IntArray:
    """Where the versions of the products at these positions were that lived at `last_row`; -1 where there was none."""
    places = positions.copy()
    newer = np.flatnonzero(columns.rows[positions] > last_row)
    if not len(newer):
        return places
    wanted = [columns.ids[position] for position in positions[newer].tolist()]
    earlier = columns.earlier_positions(frozenset(wanted), last_row)
    places[newer] = [earlier.get(product_id, -1) for product_id in wanted]
    return places


def _put_first(values: FloatArray, ties: IntArray, positions: IntArray, first: Sequence[int] | IntArray) -> None:
    numbers = {int(position): number for number, position in enumerate(first) if position >= 0}
    for at in np.flatnonzero(np.isin(positions, list(numbers))).tolist():
        values[at], ties[at] = _FIRST + numbers[int(positions[at])], 0
