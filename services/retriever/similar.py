"""Products near given ones, by the vectors that the catalogue keeps; several interests stay apart. Runs in a thread."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.retriever.columns import BoolArray, IntArray
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.products import Products
from services.retriever.snapshot import Snapshot
from vitrine.deadline import Deadline
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import Anchor, Interest, Similar, SimilarCandidate, SimilarQuery
from vitrine.vectors import FloatArray

MAX_ANCHORS = 200
MAX_INTERESTS = 20
MAX_EXCLUDED = 2_000
MAX_DEPTH = 1_000


@dataclass(frozen=True, slots=True)
class _Found:
    """One interest: row of its anchor, rows of all its anchors, and positions with cosines of what is near."""

    anchor: int
    members: IntArray
    positions: IntArray
    cosines: FloatArray


def checked_similar(query: SimilarQuery) -> FilterPlan:
    """The plan of the query's filter. Raises InvalidArgument naming every wrong field."""
    violations = list(_violations(query))
    if violations:
        raise InvalidArgument(*violations)
    return plan_of(query.filter)


def similar(
    snapshot: Snapshot,
    query: SimilarQuery,
    plan: FilterPlan,
    living: Mapping[str, int],
    *,
    products: Products,
    deadline: Deadline,
) -> Similar:
    """Answers a checked query; `living` maps ids of anchors and excluded products to row keys."""
    columns = snapshot.columns
    known = [anchor for anchor in query.anchors if anchor.product_id in living]
    missing = tuple(anchor.product_id for anchor in query.anchors if anchor.product_id not in living)
    if not known:
        return Similar((), missing, snapshot.revision)
    rows = [living[anchor.product_id] for anchor in known]
    vectors = columns.vectors[columns.positions_of(np.array(rows, np.int64))]
    weights = np.array([anchor.weight for anchor in known], np.float64)
    allowed = without(columns.allowed(plan), columns.positions_of(rows_of(query.excluded_ids, living)))
    groups = interests(vectors, weights, query.max_interests)
    deadline.check("the search by vector")
    near = snapshot.dense.search_each(vectors[[anchor for anchor, _ in groups]], allowed, query.depth)
    found = [_Found(*group, *one) for group, one in zip(groups, near, strict=True)]
    deadline.check("reading the products")
    wanted = [rows[one.anchor] for one in found]
    wanted += (row for one in found for row in columns.rows[one.positions].tolist())
    read = products.read(list(dict.fromkeys(wanted)), described=False)
    shown = []
    for one in found:
        nearest = one.members[np.argmax(columns.vectors[one.positions] @ vectors[one.members].T, axis=1)]
        candidates = (
            SimilarCandidate(read[row], float(cosine), known[anchor].product_id)
            for row, cosine, anchor in zip(
                columns.rows[one.positions].tolist(), one.cosines, nearest.tolist(), strict=True
            )
        )
        share = float(weights[one.members].sum() / weights.sum())
        shown.append(Interest(read[rows[one.anchor]], share, tuple(candidates)))
    shown.sort(key=lambda one: (-one.share, one.anchor.id))
    return Similar(tuple(shown), missing, snapshot.revision)


def interests(vectors: FloatArray, weights: np.ndarray, count: int) -> list[tuple[int, IntArray]]:
    """Divides (n, dim) L2-normalised vectors around at most `count` of their own: (row of that one, rows of its group).

    Medoids, not means: the mean of shoes and phones is like neither (Pal et al. 2020, "PinnerSage"). Chosen greedily
    by how much nearer they bring the weighted whole (facility location; Nemhauser et al. 1978: at least 1 - 1/e of
    the best choice), the first of equals.
    """
    cosines = vectors @ vectors.T
    nearest = np.full(len(vectors), -1.0)
    chosen: list[int] = []
    while len(chosen) < min(count, len(vectors)):
        gains = np.maximum(cosines - nearest, 0.0) @ weights
        gains[chosen] = -1.0
        best = int(np.argmax(gains))
        # Each row is its own column's nearest, so that rows are candidates and columns what they bring nearer.
        if gains[best] <= 1e-6 * weights.sum():
            break
        chosen.append(best)
        nearest = np.maximum(nearest, cosines[best])
    groups = np.argmax(cosines[chosen], axis=0)
    return [(anchor, np.flatnonzero(groups == place)) for place, anchor in enumerate(chosen)]


def without(allowed: BoolArray, positions: IntArray) -> BoolArray:
    """(n,) the same but for `positions`, of which -1 is none."""
    smaller = allowed.copy()
    smaller[positions[positions >= 0]] = False
    return smaller


def rows_of(ids: Sequence[str], living: Mapping[str, int]) -> IntArray:
    """Row keys of the ids that live."""
    return np.array([living[product_id] for product_id in ids if product_id in living], np.int64)


def repeated_anchors(anchors: Sequence[Anchor]) -> Iterator[FieldViolation]:
    """The fault that an anchor is named twice, if so."""
    if len({anchor.product_id for anchor in anchors}) < len(anchors):
        yield FieldViolation("anchors", "names a product twice; give each once, with the sum of its weights")


def wrong_anchors(anchors: Sequence[Anchor]) -> Iterator[FieldViolation]:
    """The faults of single anchors, each by its index."""
    for index, anchor in enumerate(anchors[:MAX_ANCHORS]):
        if not anchor.product_id:
            yield FieldViolation(f"anchors[{index}].product_id", "is empty")
        if not (math.isfinite(anchor.weight) and anchor.weight > 0):
            yield FieldViolation(f"anchors[{index}].weight", f"is {anchor.weight}; give a finite number above 0")


def _violations(query: SimilarQuery) -> Iterator[FieldViolation]:
    if not 1 <= len(query.anchors) <= MAX_ANCHORS:
        yield FieldViolation("anchors", f"has {len(query.anchors)} entries; give 1 to {MAX_ANCHORS}")
    else:
        yield from repeated_anchors(query.anchors)
    yield from wrong_anchors(query.anchors)
    if not 1 <= query.max_interests <= MAX_INTERESTS:
        yield FieldViolation("max_interests", f"is {query.max_interests}; give 1 to {MAX_INTERESTS}")
    if not 1 <= query.depth <= MAX_DEPTH:
        yield FieldViolation("depth", f"is {query.depth}; ask for 1 to {MAX_DEPTH}")
    if len(query.excluded_ids) > MAX_EXCLUDED:
        yield FieldViolation(
            "excluded_ids", f"has {len(query.excluded_ids)} entries; at most {MAX_EXCLUDED} are allowed"
        )
