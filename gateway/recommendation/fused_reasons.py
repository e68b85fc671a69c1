"""Reasons of a fused score: what each source contributed, and what led to it."""

from collections.abc import Iterator, Sequence
from itertools import islice

from gateway.recommendation.columns import Evidence, category_weight, first_category
from gateway.recommendation.features import FEATURES, GROUP_OF
from gateway.recommendation.fusion import SOURCES
from gateway.recommendation.query import Reason, Source
from vitrine.ports import RelatedCandidate, Relation
from vitrine.product import Product
from vitrine.vectors import FloatArray

_RELATION_OF = {
    Source.BEHAVIOUR: Relation.BEHAVIOUR,
    Source.ALS: Relation.ALS,
    Source.ITEM_ITEM: Relation.ITEM_ITEM,
    Source.CO_PURCHASE: Relation.CO_PURCHASE,
    Source.TEXT_SIMILAR: Relation.TEXT,
}
_PLACES = {
    source: [place for place, name in enumerate(FEATURES) if GROUP_OF[name] == source.value] for source in SOURCES
}
_MAX_PRODUCTS = 3


def reasons_of(
    candidate: RelatedCandidate, contributions: FloatArray, features: FloatArray, evidence: Evidence
) -> tuple[Reason, ...]:
    """The reasons that are not 0, largest first, of (groups,) contributions made of (F,) features; at least one."""
    reasons, numbers = [], features.tolist()
    for source, contribution in zip(SOURCES, contributions.tolist(), strict=True):
        if contribution:
            read = {FEATURES[place]: numbers[place] for place in _PLACES[source] if numbers[place]}
            reasons.append(_reason(source, contribution, candidate, evidence, read))
    reasons.sort(key=lambda reason: -reason.contribution)
    # Nothing known at all: it is there because it is in the catalogue.
    return tuple(reasons) or (Reason(Source.NEWEST, 0.0),)


def _reason(
    source: Source, contribution: float, candidate: RelatedCandidate, evidence: Evidence, read: dict[str, float]
) -> Reason:
    product, text, category = candidate.product, "", ""
    product_ids: Sequence[str] = ()
    if (relation := _RELATION_OF.get(source)) is not None:
        product_ids = [one.anchor_id for one in candidate.scores if one.relation is relation and one.anchor_id]
    elif source is Source.HISTORY:
        product_ids = list(islice(_alike(product, evidence), _MAX_PRODUCTS))
    elif source is Source.SEARCHED:
        text = evidence.searched.text
    elif source is Source.PROFILE:
        text = evidence.profile.text
    elif source is Source.POPULAR_IN_CATEGORY:
        _, category = category_weight(product, evidence)
    return Reason(source, contribution, tuple(product_ids), text, category, read)


def _alike(product: Product, evidence: Evidence) -> Iterator[str]:
    """Anchors that are the product, or of its brand or category."""
    category = first_category(product)
    for anchor, _ in evidence.anchors:
        if (
            anchor.id == product.id
            or (product.brand and anchor.brand == product.brand)
            or (category and first_category(anchor) == category)
        ):
            yield anchor.id
