"""What the fusion model reads of a call's candidates: one code for serving, training and evaluation.

0 of any feature says that nothing is known, so that a group without evidence contributes nothing. A candidate's columns
are what sources and catalogue say of it; what nobody says is NaN, or the whole column is not given.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from vitrine.vectors import FloatArray

# What scores every candidate, whoever found it: names of vitrine.ports.Relation.
RELATIONS = ("behaviour", "als", "item_item", "co_purchase", "text")
# Of these a score of 0 says that the product is no neighbour of the anchors: nothing is known.
_NEIGHBOURS = ("item_item", "co_purchase")
# Further columns. Weights of popularity are those beside the heaviest of their list, in (0, 1].
COLUMNS = {
    **dict.fromkeys(RELATIONS, "score of the relation"),
    "trained_events": "events that the recommender learned from of the product",
    "popular": "weight among all products",
    "popular_in_category": "weight in the product's own category among those of the visitor",
    "popular_in_country": "weight in the visitor's country",
    "trending": "how much more than usual, >= 0",
    "searched": "cosine to the words searched for last",
    "searched_rank": "rank in that search, from 1",
    "profile": "cosine to the profile's words",
    "profile_rank": "rank in that search, from 1",
    "category_share": "share of the history's weight in the product's category",
    "brand_share": "share of the history's weight of the product's brand",
    "seen": "times that the product is in the history",
    "price_fit": "see `price_fit`",
    "profile_fit": "fit to the stated profile, -1 to 1",
    "age_days": "days since the product was new",
    "not_in_stock": "1: it can be ordered but is not there",
}
_AS_THEY_ARE = (
    "trending",
    "searched",
    "profile",
    "category_share",
    "brand_share",
    "price_fit",
    "profile_fit",
    "not_in_stock",
)
_POPULARITIES = ("popular", "popular_in_category", "popular_in_country")
_FRESH_DAYS = 30.0
# What scores may differ by, in standard deviations, and still be of one rank.
_ALIKE = 1e-3
_PARTS = ("", "_near", "_place", "_known")

# The group that a feature's contribution is told under, by the value of a recommendation Source. Those of no group say
# how much is known, of visitor or product, or what the call is for, and only weigh the groups.
GROUP_OF = {
    **{f"{name}{part}": "text_similar" if name == "text" else name for name in RELATIONS for part in _PARTS},
    "category_share": "history",
    "brand_share": "history",
    "seen": "history",
    "searched": "searched",
    "searched_place": "searched",
    "profile": "profile",
    "profile_place": "profile",
    "popular": "popular",
    "trained_events": "popular",
    "popular_in_category": "popular_in_category",
    "popular_in_country": "popular_in_country",
    "trending": "trending",
    "price_fit": "price_fit",
    "profile_fit": "profile_fit",
    "fresh": "fresh",
    "new": "fresh",
    "not_in_stock": "availability",
    "history_length": "",
    "goes_with": "",
}
FEATURES = tuple(GROUP_OF)
GROUPS = tuple(dict.fromkeys(group for group in GROUP_OF.values() if group))


def features(columns: Mapping[str, FloatArray], history_length: int, count: int, goes_with: bool = False) -> FloatArray:
    """(count, len(FEATURES)) float32 of the candidates of one call, whose visitor liked `history_length` products.

    `columns` are (count,) each, by names of COLUMNS. `goes_with`: what completes the anchors is wanted, not more of
    their kind. Of a relation the model reads the score, how near it is to the call's best, exp(-distance) in standard
    deviations, and 1 / log2(1 + rank) among the call's candidates.
    """
    table = np.zeros((len(FEATURES), count), np.float32)
    found = dict(zip(FEATURES, table, strict=True))
    _relations({name: columns[name] for name in RELATIONS if name in columns}, found)
    for name in ("searched", "profile"):
        if (ranks := columns.get(f"{name}_rank")) is not None:
            found[f"{name}_place"][:] = _or_zero(_places(ranks))
    for name in _POPULARITIES:
        if name in columns:
            found[name][:] = np.log1p(99.0 * _or_zero(columns[name])) / np.log(100.0)
    for name in _AS_THEY_ARE:
        if name in columns:
            found[name][:] = _or_zero(columns[name])
    if (seen := columns.get("seen")) is not None:
        found["seen"][:] = np.log1p(_or_zero(seen))
    if (ages := columns.get("age_days")) is not None:
        found["fresh"][:] = _or_zero(np.exp(-np.maximum(ages, 0.0) / _FRESH_DAYS))
    if (events := columns.get("trained_events")) is not None:
        found["trained_events"][:] = np.log1p(_or_zero(events))
        found["new"][:] = events == 0
    found["history_length"][:] = np.log1p(history_length)
    found["goes_with"][:] = goes_with
    return np.ascontiguousarray(table.T)


def _or_zero(column: FloatArray) -> FloatArray:
    """The column with 0 for what is not known."""
    return np.where(np.isnan(column), np.float32(0.0), column)


def _relations(columns: Mapping[str, FloatArray], found: Mapping[str, FloatArray]) -> None:
    """Writes the features of relations that know any candidate, made for all of them at once."""
    each = {name: known for name, scores in columns.items() if (known := _known(name, scores)).any()}
    if not each:
        return
    names = list(each)
    scores = np.array([columns[name] for name in names], np.float32)
    known = np.array(list(each.values()))
    least = np.where(known, scores, np.float32(-np.inf))
    best = least.max(axis=1, keepdims=True)
    spread = np.maximum(np.std(scores, axis=1, keepdims=True, where=known), np.float32(1e-6))
    ranks = np.array([_ranks(row, alike) for row, alike in zip(least, _ALIKE * spread[:, 0], strict=True)])
    parts = {
        "": np.where(known, scores, 0.0),
        "_near": np.exp((least - best) / spread),
        "_place": np.where(known, _places(ranks), 0.0),
        "_known": known.astype(np.float32),
    }
    for part, rows in parts.items():
        for name, row in zip(names, rows, strict=True):
            found[f"{name}{part}"][:] = row


def _known(name: str, scores: FloatArray) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.isfinite(scores)
    return known & (scores > 0) if name in _NEIGHBOURS else known


def price_fit(prices: FloatArray, liked: FloatArray, weights: FloatArray) -> FloatArray:
    """How near each price (n,) is to the weighted geometric mean of the `liked` ones (m,): 1 the same, 1/2 the double.

    NaN where either is not known. All prices are of one currency.
    """
    known = np.isfinite(liked) & (liked > 0)
    if not known.any():
        return np.full(len(prices), np.nan, np.float32)
    usual = np.average(np.log(liked[known]), weights=weights[known])
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(np.log(np.where(prices > 0, prices, np.nan)) - usual)
    return np.asarray(np.exp(-distance), np.float32)


def shares(names: Sequence[str], liked: Sequence[str], weights: FloatArray) -> FloatArray:
    """The share of the history's weight that has a candidate's name (of brand or category); 0 for an empty name."""
    whole = float(np.sum(weights))
    held: dict[str, float] = {}
    for name, weight in zip(liked, weights.tolist(), strict=True):
        if name:
            held[name] = held.get(name, 0.0) + weight / whole
    return np.fromiter(map(held.get, names, repeat(0.0)), np.float32, len(names))


def _ranks(scores: FloatArray, alike: float) -> FloatArray:
    """Ranks from 1, the largest first. Scores that differ by less than `alike` share the better rank, so that neither
    the order given nor the last bits of a sum say anything."""
    return np.asarray(np.searchsorted(np.sort(-scores), -scores - alike, side="left") + 1, np.float32)


def _places(ranks: FloatArray) -> FloatArray:
    return np.asarray(1.0 / np.log2(1.0 + ranks), np.float32)
