"""Leave-one-out, as published: the last product of each history is asked for, and what is before it is known."""

from collections.abc import Sequence

import numpy as np

from evaluation.recommendation.data import Dataset, Task
from training.e5_weights import Floats
from training.recommendation.histories import histories_of
from training.recommendation.interactions import Interactions, interactions
from vitrine.errors import invalid
from vitrine.v1 import user_event_pb2

PROTOCOL = (
    "leave-one-out: the last product of each history is asked for among all products but those of the history; trained "
    "on all before it, and what training stops by is the last but one"
)


def from_histories(
    name: str,
    digest: str,
    histories: Sequence[Sequence[int]],
    product_ids: Sequence[str],
    text_vectors: Floats | None,
    notes: Sequence[str] = (),
) -> Dataset:
    """The data set of histories without times, products by number, oldest first."""
    lengths = [len(history) for history in histories]
    products = np.array([one for history in histories for one in history], np.int64)
    known = interactions(
        visitors=np.repeat(np.arange(len(histories)), lengths),
        products=products,
        times=np.concatenate([np.arange(length) for length in lengths]).astype(np.float64),
        event_types=np.full(len(products), user_event_pb2.EVENT_TYPE_VIEW_ITEM, np.int64),
        product_ids=product_ids,
        text_vectors=text_vectors,
    )
    return leave_one_out(name, digest, known, notes)


def leave_one_out(name: str, digest: str, known: Interactions, notes: Sequence[str] = ()) -> Dataset:
    """The data set of interactions that hold a product once a history; InvalidArgument without a history of 3."""
    lengths = np.diff(known.bounds)
    if not (lengths >= 3).any():
        raise invalid(name, "no visitor has 3 different products; leave-one-out needs histories of at least 3")
    asked = known.visitors[known.bounds[:-1]][lengths >= 3]
    row_lengths = np.repeat(lengths, lengths)
    is_last = np.zeros(len(known), np.bool_)
    is_last[known.bounds[1:] - 1] = True
    train = known.where(~(is_last & (row_lengths >= 3)))
    histories = histories_of(train)
    task = Task(
        "next product",
        [histories[int(visitor)] for visitor in asked],
        [train.products[start:end] for start, end in _bounds_of(train, asked)],
        list(known.products[is_last & (row_lengths >= 3)][:, None]),
    )
    short = int((lengths < 3).sum())
    said = [*notes, f"{short:,} visitors with fewer than 3 products only trained on"] if short else list(notes)
    return Dataset(name, digest, PROTOCOL, train, (task,), tuple(said))


def _bounds_of(known: Interactions, visitors: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[tuple[int, int]]:
    starts = np.searchsorted(known.visitors, visitors)
    ends = np.searchsorted(known.visitors, visitors, side="right")
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def once_each(history: Sequence[str]) -> list[str]:
    """A history with each product where it came last; the last one stays the last."""
    return list(dict.fromkeys(reversed(history)))[::-1]
