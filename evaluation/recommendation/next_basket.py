"""Split by time: what the next basket of each customer holds, and what goes with one product of it."""

from dataclasses import replace

import numpy as np

from evaluation.recommendation.data import Task
from training.recommendation.histories import NOTHING_KNOWN, History, basket_of, histories_of
from training.recommendation.interactions import Integers, Interactions

_NOTHING: Integers = np.zeros(0, np.int64)
_SEED = 0
DAY_S = 86_400.0

NEXT_BASKET, GOES_WITH = "next basket", "goes with"


def between(purchases: Interactions, start_s: float, end_s: float) -> Interactions:
    """The purchases from `start_s` on and before `end_s`."""
    return purchases.where((purchases.times >= start_s) & (purchases.times < end_s))


def first_baskets(purchases: Interactions) -> dict[int, Integers]:
    """The products, each once, of each visitor's first basket: what was bought at one time."""
    return {
        int(purchases.visitors[start]): np.unique(
            purchases.products[start:end][purchases.times[start:end] == purchases.times[start]]
        )
        for start, end in zip(purchases.bounds[:-1], purchases.bounds[1:], strict=True)
    }


def basket_tasks(known: Interactions, after: Interactions, anchors: int) -> tuple[Task, Task]:
    """Of each visitor's first basket in `after`: all of it, and for some of its products what is there besides.

    The next basket is asked of those who are known, and holds what they buy again. What goes with a product is asked of
    everyone, `anchors` drawn products of each basket of two or more; what is known of the customer is known then too.
    """
    generator = np.random.default_rng(_SEED)
    histories = histories_of(known)
    baskets = first_baskets(after)
    regulars = [(histories[visitor], basket) for visitor, basket in baskets.items() if visitor in histories]
    asked: list[tuple[History, Integers, Integers]] = []
    for visitor, basket in baskets.items():
        if len(basket) > 1:
            history = histories.get(visitor, NOTHING_KNOWN)
            for anchor in generator.permutation(basket)[:anchors]:
                own = np.array([anchor], np.int64)
                asked.append((replace(basket_of(own, _NOTHING), seen=history.seen), own, basket[basket != anchor]))
    return (
        Task(
            NEXT_BASKET,
            [replace(history, left_out=_NOTHING) for history, _ in regulars],
            [_NOTHING for _ in regulars],
            [basket for _, basket in regulars],
        ),
        Task(GOES_WITH, [one for one, _, _ in asked], [own for _, own, _ in asked], [others for _, _, others in asked]),
    )
