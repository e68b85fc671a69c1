"""How well a product meets what a visitor stated: wishes, which do not exclude."""

import math
from collections.abc import Sequence
from dataclasses import replace

from gateway.recommendation.query import Profile, Reason, Recommendation, Source
from vitrine.product import CATEGORY_SEPARATOR, Product

# A little more than the first place of a list that stands alone: what was stated weighs as much as what was done.
_FIT = 1.0


def profile_fit(product: Product, profile: Profile) -> float:
    """The mean over the wishes stated (languages, price, categories), each from 1, met, to -1; NaN: none was stated.

    A price outside the range loses with its distance, and is -1 at half the lowest or twice the highest. What the
    product does not say, or says in another currency, counts 0.
    """
    wishes = []
    if profile.languages:
        wishes.append(1.0 if any(_speaks(product.language, tag) for tag in profile.languages) else -1.0)
    if profile.min_price is not None or profile.max_price is not None:
        wishes.append(_price_wish(product, profile))
    if profile.categories:
        wishes.append(1.0 if any(lies_in(product, category) for category in profile.categories) else -1.0)
    return math.fsum(wishes) / len(wishes) if wishes else math.nan


def with_profile(scored: Sequence[Recommendation], profile: Profile) -> list[Recommendation]:
    """Blended recommendations with what their fit adds: `_FIT` where all wishes are met, 0 where none is.

    By score, ties by id.
    """
    if profile == Profile():
        return list(scored)
    fitted = []
    for one in scored:
        fit = profile_fit(one.product, profile)
        added = _FIT * (fit + 1.0) / 2.0
        if not math.isnan(fit) and added > 0:
            reason = Reason(Source.PROFILE_FIT, added, features={"profile_fit": fit})
            reasons = sorted([*one.reasons, reason], key=lambda reason: -reason.contribution)
            one = replace(one, score=one.score + added, reasons=tuple(reasons))
        fitted.append(one)
    return sorted(fitted, key=lambda one: (-one.score, one.product.id))


def lies_in(product: Product, category: str) -> bool:
    """Whether one of the product's category paths is this one or lies below it."""
    return any(path == category or path.startswith(category + CATEGORY_SEPARATOR) for path in product.categories)


def _speaks(language: str, tag: str) -> bool:
    """Whether a product's language is the tag's: "zh-Hant" and "zh" are one."""
    return language.split("-")[0] == tag.lower().split("-")[0]


def _price_wish(product: Product, profile: Profile) -> float:
    price = product.price
    if price is None or product.currency_code != profile.currency_code:
        return 0.0
    if profile.min_price is not None and price < profile.min_price:
        ratio = price / profile.min_price
    elif profile.max_price is not None and price > profile.max_price:
        ratio = profile.max_price / price
    else:
        return 1.0
    return 4.0 * max(ratio - 0.5, 0.0) - 1.0
