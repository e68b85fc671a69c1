"""Diversity: the order of a list in which what repeats a kind or brand stands back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitrine.product import CATEGORY_SEPARATOR, Product

# How alike two products of the same category, top category and brand are, in parts that add up to 1.
_PARTS = np.array([0.35, 0.35, 0.3])


def diversified(products: Sequence[Product], relevance: NDArray[np.float64], count: int, diversity: float) -> list[int]:
    """The places of the first `count` by maximal marginal relevance; `products` come best first, which decides ties.

    Carbonell and Goldstein (1998): next is what has the most of (1 - d) relevance - d likeness to the likest already
    taken; `relevance` (n,) is beside the best one, in [0, 1].
    """
    points = (1.0 - diversity) * relevance
    paths = [one.categories[0] if one.categories else "" for one in products]
    tops = [path.split(CATEGORY_SEPARATOR, 1)[0] for path in paths]
    codes = np.array([_codes(paths), _codes(tops), _codes([one.brand for one in products])])
    likest = np.zeros(len(products))
    taken: list[int] = []
    for _ in range(min(count, len(products))):
        best = int((points - diversity * likest).argmax())
        taken.append(best)
        points[best] = -np.inf
        np.maximum(likest, _PARTS @ (codes == codes[:, best, None]), out=likest)
    return taken


def _codes(names: Sequence[str]) -> list[int]:
    """A number for each different name, and for each that has none, which is like nothing."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(name, place) if name else -place - 1 for place, name in enumerate(names)]
