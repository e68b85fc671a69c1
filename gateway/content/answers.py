"""Answers: how well reviews and guides answer a query, by what they say and by the products that they are about."""

from collections.abc import Iterable, Sequence
from math import fsum

from gateway.recommendation.blend import CandidateList, Proposal
from gateway.recommendation.query import Reason, Recommendation, Source

# Points of a text that holds all words of the query, beside its cosine.
_WORDS = 0.1
# Points of being about a product that the query names; the cube makes them few where it only comes near.
_NAMED, _NAMED_POWER = 3.0, 3
_LEAST = 1e-3


def answers(found: Sequence[CandidateList], meant: Sequence[Proposal]) -> list[Recommendation]:
    """Content by points: of its text (lists SEARCHED), and of the best answer among the `meant` products it is about.

    Lists ABOUT hold what is near to these products, where there is no vector of the query.

    Reviews seldom name their product, so a query that names one is hardly answered by texts alone. Measured on the
    litemall shop (239 goods, 995 reviews): of the first three for a good's name 0.65 are about it when both lists are
    blended by rank, 0.99 by these points; for the last half of the name 0.59 and 0.86.
    """
    products = strengths(meant)
    searched = {one.product.id: one for listed in found if listed.source is Source.SEARCHED for one in listed.proposals}
    near = {one.product.id: one for listed in found if listed.source is Source.ABOUT for one in listed.proposals}
    texts = strengths(searched.values())
    words = found[0].text
    scored = []
    for product_id, one in {**near, **searched}.items():
        reasons = []
        if product_id in searched:
            reasons.append(Reason(Source.SEARCHED, max(texts[product_id], _LEAST), text=words, features=one.features))
        about = sorted(
            (about for about in one.product.about_product_ids if about in products), key=products.__getitem__
        )
        if about:
            strength = products[about[-1]]
            points = _NAMED * max(strength, _LEAST) ** _NAMED_POWER
            features = {"answer": strength}
            if product_id in near:
                # All of them are about the product; the more a text is about it, the better.
                features["cosine"] = near[product_id].features["cosine"]
                points *= max(features["cosine"], _LEAST)
            reasons.append(Reason(Source.ABOUT, points, tuple(reversed(about)), words, features=features))
        reasons.sort(key=lambda reason: -reason.contribution)
        scored.append(Recommendation(one.product, fsum(one.contribution for one in reasons), tuple(reasons)))
    return sorted(scored, key=lambda one: (-one.score, one.product.id))


def strengths(proposals: Iterable[Proposal]) -> dict[str, float]:
    """How well each answers, by id, about 0 to 1: cosine and share of the best words; words alone without a vector."""
    listed = list(proposals)
    best = max((one.features.get("bm25", 0.0) for one in listed), default=0.0) or 1.0
    strengths = {}
    for one in listed:
        share = one.features.get("bm25", 0.0) / best
        cosine = one.features.get("cosine")
        strengths[one.product.id] = share if cosine is None else cosine + _WORDS * share
    return strengths
