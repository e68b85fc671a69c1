"""Event files to interactions: each product once in a visitor's history, by the strongest and latest thing done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import TrainingError
from training.recommendation.event_rows import ACTED, TAKEN_BACK, Action, actions_of
from training.recommendation.histories import EVENT_TYPES
from training.recommendation.interactions import Integers, Interactions, interactions
from training.sources.reading import read_rows
from vitrine.user_event import EventType

_NUMBERS = {kind: number for number, kind in EVENT_TYPES.items()}
_STRENGTH = {kind: strength for strength, kind in enumerate(ACTED)}


@dataclass(frozen=True)
class VisitorEvents:
    """What visitors did with the catalogue's products, and at which position each was met, 0: not known.

    `purchases` are those that were not given back, of the same visitors; those of one visitor and time are a basket.
    """

    interactions: Interactions
    positions: Integers  # (n,)
    purchases: Interactions


@dataclass(slots=True)
class _Done:
    kind: EventType
    time_s: float
    position: int


def read_visitor_events(
    paths: Sequence[Path], product_ids: Sequence[str], note: Callable[[str], None]
) -> VisitorEvents:
    """The events of files. Products that are not in the catalogue and rows that cannot be read are left out and noted.

    A product that was taken back (removed from the cart, returned) leaves the history. Raises TrainingError for a file
    that is missing or cut short, and for one in which no row can be read.
    """
    numbers = {product_id: number for number, product_id in enumerate(product_ids)}
    actions, strangers = [], 0
    for path in paths:
        for action in _read(path, note):
            if action.product in numbers:
                actions.append(action)
            else:
                strangers += 1
    if strangers:
        note(f"{strangers} events on products that the catalogue lacks left out")
    actions.sort(key=lambda action: action.time_s)
    done = _collapsed(actions)
    visitors = {visitor: number for number, visitor in enumerate(sorted(done))}
    rows = [(visitors[who], numbers[product], one) for who, own in done.items() for product, one in own.items()]
    learned = interactions(
        visitors=np.array([visitor for visitor, *_ in rows], np.int64),
        products=np.array([product for _, product, _ in rows], np.int64),
        times=np.array([one.time_s for *_, one in rows], np.float64),
        event_types=np.array([_NUMBERS[one.kind] for *_, one in rows], np.int64),
        product_ids=product_ids,
    )
    by_row = {(visitor, product): one.position for visitor, product, one in rows}
    pairs = zip(learned.visitors.tolist(), learned.products.tolist(), strict=True)
    positions = np.array([by_row[pair] for pair in pairs], np.int64)
    bought = [
        (visitors[one.visitor], numbers[one.product], one.time_s)
        for one in actions
        if one.kind is EventType.PURCHASE and one.product in done[one.visitor]
    ]
    purchases = interactions(
        visitors=np.array([visitor for visitor, *_ in bought], np.int64),
        products=np.array([product for _, product, _ in bought], np.int64),
        times=np.array([time_s for *_, time_s in bought], np.float64),
        event_types=np.full(len(bought), _NUMBERS[EventType.PURCHASE], np.int64),
        product_ids=product_ids,
    )
    return VisitorEvents(learned, positions, purchases)


def _collapsed(actions: Sequence[Action]) -> Mapping[str, Mapping[str, _Done]]:
    """By visitor and product, from actions in the order of time."""
    done: dict[str, dict[str, _Done]] = {}
    for action in actions:
        own = done.setdefault(action.visitor, {})
        before = own.pop(action.product, None)
        if action.kind in TAKEN_BACK:
            continue
        kind = action.kind if before is None else max(before.kind, action.kind, key=_STRENGTH.__getitem__)
        position = action.position or (before.position if before else 0)
        own[action.product] = _Done(kind, action.time_s, position)
    return done


def _read(path: Path, note: Callable[[str], None]) -> Iterator[Action]:
    read, refused, first = 0, 0, ""
    for row in read_rows(path):
        try:
            if row.fault:
                raise TrainingError(row.fault)
            found = list(actions_of(row.values))
        except TrainingError as error:
            refused, first = refused + 1, first or f"line {row.line}: {error}"
            continue
        read += 1
        yield from found
    if refused and not read:
        raise TrainingError(f"{path}: no event can be read; {refused} rows refused, the first {first}")
    if refused:
        note(f"{path.name}: {refused} rows left out, the first {first}")
