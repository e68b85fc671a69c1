"""Candidates of many visitors at once, with the features that serving would give them.

For each visitor the union of what every source ranks first, each candidate scored by every source, as the gateway asks
the retriever; in blocks of visitors, so that a score matrix stays small.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from gateway.recommendation.evidence import CATEGORIES
from gateway.recommendation.features import features, price_fit, shares
from gateway.recommendation.popular import LIMIT
from services.retriever.relations import als_inverse, als_user
from training.e5_weights import Floats
from training.recommendation.histories import History
from training.recommendation.interactions import Integers
from vitrine.learned_products import Neighbours
from vitrine.ports import Relation

_BLOCK_CELLS = 4_000_000
_VISITORS_AT_ONCE = 64
SINGLE_SOURCES = ("behaviour", "als", "item_item", "co_purchase", "text", "popular")

# Histories to L2-normalised vectors (n, d).
Encode = Callable[[Sequence[History]], Floats]


@dataclass(frozen=True)
class ProductFacts:
    """What the catalogue says of each product, as far as features read it; prices NaN where unknown."""

    categories: tuple[str, ...]
    brands: tuple[str, ...]
    prices: Floats

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        members: dict[str, list[int]] = {}
        for product, name in enumerate(self.categories):
            members.setdefault(name, []).append(product)
        return members

    def heaviest(self, category: str, weights: Floats) -> float:
        """The largest weight in a category."""
        return float(weights[self._members[category]].max())


@dataclass(frozen=True)
class Als:
    """Product factors (P, f) of alternating least squares, zero where nothing was learned, and what fold-in needs."""

    factors: Floats
    regularization: float
    alpha: float


@dataclass(frozen=True)
class Sources:
    """Everything that finds or scores candidates, learned from the events before some moment; None: no such source.

    `popular` (P,) are weights beside the heaviest; `behaviour` (P, d) and `text` (P, t) are L2-normalised or zero.
    """

    trained_events: Integers
    popular: Floats
    behaviour: Floats | None = None
    encode: Encode | None = None
    als: Als | None = None
    neighbours: Mapping[Relation, Neighbours] = field(default_factory=dict)
    text: Floats | None = None
    facts: ProductFacts | None = None


@dataclass(frozen=True)
class Candidates:
    """A visitor's candidates (n,), their features (n, F) and, for comparison, each single source's scores (n,)."""

    products: Integers
    features: Floats
    scores: dict[str, Floats]


def candidates(sources: Sources, histories: Sequence[History], depth: int) -> Iterator[Candidates]:
    """The candidates of each history, in order; `depth` of each source."""
    size = max(1, min(512, _BLOCK_CELLS // max(1, len(sources.popular))))
    popular = _first(sources.popular, LIMIT)
    popular = popular[np.argsort(-sources.popular[popular], kind="stable")]
    popular = popular[sources.popular[popular] > 0]
    for start in range(0, len(histories), size):
        block = histories[start : start + size]
        scores = dict(_scores(sources, block))
        for row, history in enumerate(block):
            own = {name: matrix[row] for name, matrix in scores.items()}
            yield _one(sources, history, own, popular, depth)


def _one(
    sources: Sources,
    history: History,
    scores: dict[str, Floats],
    popular: Integers,
    depth: int,
) -> Candidates:
    out = history.left_out
    again = np.array(list(history.seen), np.int64)
    lists = [popular[~np.isin(popular, out)][:depth], again[~np.isin(again, out)]]
    for values in scores.values():
        open_values = values.copy()
        open_values[out] = np.nan
        found = _first(np.nan_to_num(open_values, nan=-np.inf), depth)
        lists.append(found[np.isfinite(open_values[found])])
    products = np.unique(np.concatenate(lists)).astype(np.int64)
    columns = {name: values[products] for name, values in scores.items()}
    columns["trained_events"] = sources.trained_events[products].astype(np.float32)
    columns["seen"] = np.array([history.seen.get(int(one), np.nan) for one in products], np.float32)
    columns["popular"] = np.where(np.isin(products, popular), sources.popular[products], np.nan)
    if (facts := sources.facts) is not None and len(history.liked):
        columns.update(_fits(facts, history, products))
        columns["popular_in_category"] = _popular_in_category(facts, sources.popular, history, products)
    table = features(columns, len(history.liked), len(products), history.goes_with)
    shown = {name: np.nan_to_num(columns[name], nan=-np.inf) for name in scores}
    return Candidates(products, table, shown | {"popular": sources.popular[products]})


def _fits(facts: ProductFacts, history: History, products: Integers) -> Iterator[tuple[str, Floats]]:
    liked, weights = history.liked, history.weights
    yield "price_fit", price_fit(facts.prices[products], facts.prices[liked], weights)
    for name, values in (("category_share", facts.categories), ("brand_share", facts.brands)):
        yield name, shares([values[one] for one in products], [values[one] for one in liked], weights)


def _popular_in_category(facts: ProductFacts, popular: Floats, history: History, products: Integers) -> Floats:
    """Weights beside the heaviest of the category, in the first categories of the history; NaN in others."""
    names = dict.fromkeys(facts.categories[one] for one in history.liked)
    heaviest = {name: facts.heaviest(name, popular) for name in [name for name in names if name][:CATEGORIES]}
    return np.array(
        [
            popular[one] / heaviest[name]
            if (name := facts.categories[one]) in heaviest and popular[one] > 0
            else np.nan
            for one in products
        ],
        np.float32,
    )


def _scores(sources: Sources, block: Sequence[History]) -> Iterator[tuple[str, Floats]]:
    """Scores (n, P) of each source; NaN where it knows nothing."""
    empty = np.array([not len(history.liked) for history in block])
    if empty.all():
        return
    count = len(sources.popular)
    anchors = _anchor_matrix(block, count)
    if sources.behaviour is not None and sources.encode is not None:
        known = np.flatnonzero(~empty).tolist()
        scores = np.full((len(block), len(sources.behaviour)), np.nan, np.float32)
        scores[known] = sources.encode([block[row] for row in known]) @ sources.behaviour.T
        yield "behaviour", scores
    if sources.als is not None:
        yield "als", _als_scores(sources.als, block)
    for relation, found in sources.neighbours.items():
        weights = sparse.csr_array((found.weights, found.products, found.starts), shape=(count, count))
        scores = (anchors @ weights).toarray().astype(np.float32)
        yield relation.value, np.where(scores > 0, scores, np.nan)
    if sources.text is not None:
        yield "text", _nearest(sources.text, block)


def _anchor_matrix(block: Sequence[History], count: int) -> sparse.csr_array:
    bounds = np.cumsum([0, *(len(history.liked) for history in block)])
    columns = np.concatenate([history.liked for history in block])
    weights = np.concatenate([history.weights for history in block])
    return sparse.csr_array((weights, columns, bounds), shape=(len(block), count))


def _als_scores(als: Als, block: Sequence[History]) -> Floats:
    known = np.asarray(als.factors.any(axis=1))
    inverse = als_inverse(als.factors, als.regularization)
    scores = np.full((len(block), len(als.factors)), np.nan, np.float32)
    # Systems this small take many times as long on several threads, the more so on a busy machine.
    with threadpool_limits(1, "blas"):
        for row, history in enumerate(block):
            learned = known[history.liked]
            if learned.any():
                liked, weights = history.liked[learned], history.weights[learned]
                scores[row] = als.factors @ als_user(als.factors, inverse, liked, weights, alpha=als.alpha)
    scores[:, ~known] = np.nan
    return scores


def _nearest(text: Floats, block: Sequence[History]) -> Floats:
    """Cosine to the nearest anchor (n, P)."""
    scores = np.full((len(block), len(text)), np.nan, np.float32)
    rows = [row for row, history in enumerate(block) if len(history.liked)]
    # Anchors of some visitors at once: one product of large matrices is several times as fast as many of small ones.
    for start in range(0, len(rows), _VISITORS_AT_ONCE):
        some = rows[start : start + _VISITORS_AT_ONCE]
        lengths = [len(block[row].liked) for row in some]
        cosines = text[np.concatenate([block[row].liked for row in some])] @ text.T
        scores[some] = np.maximum.reduceat(cosines, np.cumsum([0, *lengths[:-1]]), axis=0)
    scores[:, ~text.any(axis=1)] = np.nan
    return scores


def _first(values: Floats, count: int) -> NDArray[np.intp]:
    """Where the largest `count` values stand, in no order."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(-values, count)[:count]
