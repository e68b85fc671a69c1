"""What a query for related products may be."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from services.retriever.filters import FilterPlan, plan_of
from services.retriever.similar import MAX_ANCHORS, MAX_DEPTH, MAX_EXCLUDED, repeated_anchors, wrong_anchors
from vitrine.errors import FieldViolation, InvalidArgument, invalid
from vitrine.ports import RelatedQuery
from vitrine.vectors import l2_normalized

MAX_SCORED = 1_000
MAX_VECTORS = 200


def checked_related(query: RelatedQuery) -> tuple[RelatedQuery, FilterPlan]:
    """The query with its vector normalised, and its filter's plan. Raises InvalidArgument naming every wrong field."""
    if violations := list(_violations(query)):
        raise InvalidArgument(*violations)
    if query.history_vector is not None:
        query = replace(query, history_vector=l2_normalized(query.history_vector[None])[0])
    return query, plan_of(query.filter)


def check_vector_ids(ids: Sequence[str]) -> None:
    """Raises InvalidArgument for ids whose vectors cannot be read in one call."""
    if not 1 <= len(ids) <= MAX_VECTORS:
        raise invalid("product_ids", f"has {len(ids)} entries; give 1 to {MAX_VECTORS}")
    if len(set(ids)) < len(ids):
        raise invalid("product_ids", "names a product twice; give each once")


def _violations(query: RelatedQuery) -> Iterator[FieldViolation]:
    count = len(query.anchors)
    if count > MAX_ANCHORS or (query.relations and not count and query.history_vector is None):
        fault = f"has {count} entries; give 1 to {MAX_ANCHORS}, or a history_vector, or no relations"
        yield FieldViolation("anchors", fault)
    else:
        yield from repeated_anchors(query.anchors)
    yield from wrong_anchors(query.anchors)
    if query.history_vector is not None:
        if query.history_vector.ndim != 1:
            yield FieldViolation("history_vector", f"has {query.history_vector.ndim} dimensions; give one vector")
        elif not np.isfinite(query.history_vector).all() or not query.history_vector.any():
            yield FieldViolation("history_vector.data", "is all zeros or not finite; give a vector of EncodeHistory")
        if not query.recommender_digest:
            yield FieldViolation("recommender_digest", "is empty; name the recommender that made history_vector")
    if len(set(query.relations)) < len(query.relations):
        yield FieldViolation("relations", "names a relation twice; give each once")
    if not 1 <= query.depth <= MAX_DEPTH:
        yield FieldViolation("depth", f"is {query.depth}; ask for 1 to {MAX_DEPTH}")
    if not 0 <= query.newest <= MAX_DEPTH:
        yield FieldViolation("newest", f"is {query.newest}; ask for 0 to {MAX_DEPTH}")
    for name, given, limit in (
        ("scored_ids", query.scored_ids, MAX_SCORED),
        ("excluded_ids", query.excluded_ids, MAX_EXCLUDED),
    ):
        if len(given) > limit:
            yield FieldViolation(name, f"has {len(given)} entries; at most {limit} are allowed")
