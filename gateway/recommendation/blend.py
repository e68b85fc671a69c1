"""Blend: several sources' lists to one list of scores, each with the reasons that add up to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import fsum

from gateway.recommendation.query import Reason, Recommendation, Source
from vitrine.product import Product

# The place at which a product of a list that has all the share gets half a point.
HALF_PLACE = 10.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A product that a source proposes: what led to it, and the source's own numbers, by name."""

    product: Product
    product_ids: tuple[str, ...] = ()
    features: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CandidateList:
    """What one source proposes, best first, no product twice; `share` > 0 says how much it counts beside the others."""

    source: Source
    share: float
    proposals: Sequence[Proposal]
    text: str = ""
    category: str = ""


def blended(lists: Iterable[CandidateList]) -> list[Recommendation]:
    """All proposals by score, ties by id.

    Sources' own scores do not compare (a cosine, a count), their ranks do, as in reciprocal rank fusion (Cormack et al.
    2009). A list with share s of all gives its product at rank r the points 1 / (1 + r / (10 s)): as many as place
    r / s of a list that stands alone. So in the blend each list comes by about its share of the places, as parties do
    by highest averages, and a taste that is a fifth of a history is a fifth of the page instead of nothing. What
    several lists propose adds up.
    """
    given = [one for one in lists if one.proposals]
    whole = fsum(one.share for one in given)
    products: dict[str, Product] = {}
    reasons: dict[str, list[Reason]] = {}
    for one in given:
        share = one.share / whole
        for rank, proposal in enumerate(one.proposals, start=1):
            products[proposal.product.id] = proposal.product
            reasons.setdefault(proposal.product.id, []).append(
                Reason(
                    source=one.source,
                    contribution=1.0 / (1.0 + rank / (HALF_PLACE * share)),
                    product_ids=proposal.product_ids,
                    text=one.text,
                    category=one.category,
                    features={"rank": rank, "share": share, **proposal.features},
                )
            )
    scored = (
        Recommendation(
            product,
            fsum(reason.contribution for reason in reasons[product_id]),
            tuple(sorted(reasons[product_id], key=lambda reason: -reason.contribution)),
        )
        for product_id, product in products.items()
    )
    return sorted(scored, key=lambda one: (-one.score, one.product.id))
