"""What the fusion model reads of a call's candidates: one code for serving, training and evaluation.

A candidate's columns are what sources and catalogue say of it; what nobody says is NaN, or the whole column is not
given, and becomes a default: a product without features is ranked like any other.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from vitrine.vectors import FloatArray

# What scores every candidate, whoever found it: names of vitrine.ports.Relation.
RELATIONS = ("behaviour", "als", "item_item", "co_purchase", "text")
# Of these a score of 0 says that the product is no neighbour of the anchors: nothing is known.
_NEIGHBOURS = ("item_item", "co_purchase")
# Further columns: events that the recommender learned from of the product; weight beside the heaviest of its list in
# (0, 1]; how much more than usual, >= 0; rank in the list of a text, from 1; in [0, 1], the fit to prices paid, to
# categories and brands of the history, to the stated profile; days since the product was new; 1 or 0.
COLUMNS = (
    *RELATIONS,
    "trained_events",
    "popular",
    "popular_in_category",
    "popular_in_country",
    "trending",
    "searched_rank",
    "profile_rank",
    "price_fit",
    "category_share",
    "brand_share",
    "profile_fit",
    "age_days",
    "in_stock",
)
_FRESH_DAYS = 30.0
# The distance of a product that a relation knows nothing of: as that of a weak candidate.
_FAR = 3.0
_AS_THEY_ARE = (
    "popular",
    "popular_in_category",
    "popular_in_country",
    "trending",
    "price_fit",
    "category_share",
    "brand_share",
    "profile_fit",
)

# The group that a feature's contribution is told under, by the name of a recommendation Source. Those of no group say
# how much is known, of visitor or product, and only weigh the others.
GROUP_OF = {
    **{f"{name}{part}": name for name in RELATIONS[:-1] for part in ("", "_gap", "_place")},
    **{f"text{part}": "history" for part in ("", "_gap", "_place")},
    "category_share": "history",
    "brand_share": "history",
    "searched_place": "searched",
    "profile_place": "profile",
    "trained_events": "popular",
    "popular": "popular",
    "popular_in_category": "popular_in_category",
    "popular_in_country": "popular_in_country",
    "trending": "trending",
    "price_fit": "price_fit",
    "profile_fit": "profile_fit",
    "fresh": "fresh",
    "in_stock": "fresh",
    **{f"{name}_known": "" for name in RELATIONS},
    "history_length": "",
}
FEATURES = tuple(GROUP_OF)
GROUPS = tuple(dict.fromkeys(group for group in GROUP_OF.values() if group))


def features(columns: Mapping[str, FloatArray], history_length: int, count: int) -> FloatArray:
    """(count, len(FEATURES)) float32 of the candidates of one call, whose visitor liked `history_length` products.

    `columns` are (count,) each, by names of COLUMNS. Of a relation the model reads the score, the distance to the
    call's best score in standard deviations, and 1 / log2(1 + rank) among the call's candidates.
    """
    found = {name: np.zeros(count, np.float32) for name in FEATURES}
    for name in RELATIONS:
        if name in columns:
            scores = np.asarray(columns[name], np.float32)
            known = np.isfinite(scores) & ((scores > 0) | (name not in _NEIGHBOURS))
            if known.any():
                least = np.where(known, scores, -np.inf)
                best, spread = least.max(), scores[known].std()
                found[name] = np.where(known, scores, 0.0)
                found[f"{name}_gap"] = np.where(known, (scores - best) / max(spread, 1e-6), -_FAR)
                found[f"{name}_place"] = np.where(known, _places(_ranks(least)), 0.0)
                found[f"{name}_known"] = known.astype(np.float32)
    for name in ("searched", "profile"):
        if (ranks := columns.get(f"{name}_rank")) is not None:
            found[f"{name}_place"] = np.where(np.isfinite(ranks), _places(np.nan_to_num(ranks, nan=1.0)), 0.0)
    if (ages := columns.get("age_days")) is not None:
        found["fresh"] = np.exp(-np.maximum(np.nan_to_num(ages, nan=np.inf), 0.0) / _FRESH_DAYS)
    if (events := columns.get("trained_events")) is not None:
        found["trained_events"] = np.log1p(np.nan_to_num(events))
    found["history_length"] = np.full(count, np.log1p(history_length), np.float32)
    found["in_stock"] = np.nan_to_num(columns.get("in_stock", np.ones(count)), nan=1.0)
    for name in _AS_THEY_ARE:
        if name in columns:
            found[name] = np.nan_to_num(columns[name])
    return np.stack([found[name] for name in FEATURES], axis=1).astype(np.float32)


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
    fit: FloatArray = np.exp(-distance).astype(np.float32)
    return fit


def shares(names: Sequence[str], liked: Sequence[str], weights: FloatArray) -> FloatArray:
    """The share of the history's weight that has a candidate's name (of brand or category); 0 for an empty name."""
    whole = float(np.sum(weights))
    held: dict[str, float] = {}
    for name, weight in zip(liked, weights, strict=True):
        if name:
            held[name] = held.get(name, 0.0) + float(weight) / whole
    return np.array([held.get(name, 0.0) for name in names], np.float32)


def _ranks(scores: FloatArray) -> FloatArray:
    """Ranks from 1, the largest first; what is equal shares the better rank, so that the order given says nothing."""
    ordered = np.sort(-scores)
    ranks: FloatArray = np.searchsorted(ordered, -scores, side="left").astype(np.float32) + 1.0
    return ranks


def _places(ranks: FloatArray) -> FloatArray:
    return (1.0 / np.log2(1.0 + ranks)).astype(np.float32)
