"""Columns: what sources and catalogue say of a call's candidates, as `features` reads them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat

import numpy as np

from gateway.recommendation.features import price_fit, shares
from gateway.recommendation.profile_fit import lies_in, profile_fit
from gateway.recommendation.query import Profile
from vitrine.ports import Related
from vitrine.product import Availability, Product
from vitrine.vectors import FloatArray


@dataclass(frozen=True, slots=True)
class TextMatches:
    """What answers some words: ranks from 1 and cosines, by product id; a cosine may lack."""

    text: str = ""
    ranks: Mapping[str, float] = field(default_factory=dict)
    cosines: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What else is known of products, by id: popularity beside the heaviest of its list, in (0, 1]; matches of words.

    `anchors` are the products liked, or asked about, with their weights; `seen` how often each is in the history.
    """

    anchors: Sequence[tuple[Product, float]] = ()
    seen: Mapping[str, int] = field(default_factory=dict)
    popular: Mapping[str, float] = field(default_factory=dict)
    popular_in_category: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    popular_in_country: Mapping[str, float] = field(default_factory=dict)
    trending: Mapping[str, float] = field(default_factory=dict)
    searched: TextMatches = field(default_factory=TextMatches)
    profile: TextMatches = field(default_factory=TextMatches)
    stated: Profile = field(default_factory=Profile)


def columns_of(related: Related, evidence: Evidence, now: datetime) -> dict[str, FloatArray]:
    """The columns (n,) of candidates, by the names of `features.COLUMNS`; NaN where nothing is known.

    What is known of no product has no column.
    """
    products = related.products
    ids = [product.id for product in products]
    looked_up = {
        "popular": evidence.popular,
        "popular_in_country": evidence.popular_in_country,
        "trending": evidence.trending,
        "searched": evidence.searched.cosines,
        "searched_rank": evidence.searched.ranks,
        "profile": evidence.profile.cosines,
        "profile_rank": evidence.profile.ranks,
        "seen": evidence.seen,
    }
    columns = {name: _looked_up(values, ids) for name, values in looked_up.items() if values}
    columns["trained_events"] = related.trained_events.astype(np.float32)
    times_s = [math.nan if one.update_time is None else one.update_time.timestamp() for one in products]
    columns["age_days"] = ((now.timestamp() - np.array(times_s)) / 86_400).astype(np.float32)
    in_stock = Availability.IN_STOCK
    columns["not_in_stock"] = np.array([one.availability is not in_stock for one in products], np.float32)
    if weighed := set().union(*evidence.popular_in_category.values()):
        columns["popular_in_category"] = np.array(
            [category_weight(one, evidence)[0] if one.id in weighed else math.nan for one in products], np.float32
        )
    if evidence.stated != Profile():
        columns["profile_fit"] = np.array([profile_fit(product, evidence.stated) for product in products], np.float32)
    relations = {relation.value: column.scores for relation, column in related.relations.items()}
    return columns | relations | _fits(products, evidence.anchors)


def category_weight(product: Product, evidence: Evidence) -> tuple[float, str]:
    """The product's largest weight in one of the visitor's categories that it lies in, and which; NaN in none."""
    best, named = math.nan, ""
    for category, weights in evidence.popular_in_category.items():
        weight = weights.get(product.id, 0.0)
        if weight and not weight <= best and lies_in(product, category):
            best, named = weight, category
    return best, named


def first_category(product: Product) -> str:
    """The category that a product is counted under: its first path."""
    return product.categories[0] if product.categories else ""


def _fits(products: Sequence[Product], anchors: Sequence[tuple[Product, float]]) -> dict[str, FloatArray]:
    if not anchors:
        return {}
    liked = [product for product, _ in anchors]
    weights = np.array([weight for _, weight in anchors], np.float32)
    currency = next((product.currency_code for product in liked if product.price is not None), "")
    return {
        "category_share": shares(list(map(first_category, products)), list(map(first_category, liked)), weights),
        "brand_share": shares([one.brand for one in products], [one.brand for one in liked], weights),
        "price_fit": price_fit(_prices(products, currency), _prices(liked, currency), weights),
    }


def _prices(products: Sequence[Product], currency: str) -> FloatArray:
    """Prices (n,) in a currency; NaN where there is none in it."""
    return np.array(
        [math.nan if one.price is None or one.currency_code != currency else one.price for one in products], np.float32
    )


def _looked_up(values: Mapping[str, float], ids: Sequence[str]) -> FloatArray:
    return np.fromiter(map(values.get, ids, repeat(math.nan)), np.float32, len(ids))
