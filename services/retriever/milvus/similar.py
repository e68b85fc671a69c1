"""Products near given ones, by the vectors that Milvus keeps. Runs in a thread."""

from collections.abc import Mapping

import numpy as np

from services.retriever.filters import FilterPlan
from services.retriever.milvus.search import near
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.products import Products
from services.retriever.similar import interests
from vitrine.deadline import Deadline
from vitrine.ports import Interest, Similar, SimilarCandidate, SimilarQuery


def similar(
    snapshot: MilvusSnapshot,
    query: SimilarQuery,
    plan: FilterPlan,
    living: Mapping[str, int],
    *,
    products: Products,
    deadline: Deadline,
) -> Similar:
    """Answers a checked query; `living` maps ids of the anchors to row keys."""
    known = [anchor for anchor in query.anchors if anchor.product_id in living]
    missing = tuple(anchor.product_id for anchor in query.anchors if anchor.product_id not in living)
    if not known or snapshot.collection is None:
        return Similar((), missing, snapshot.revision)
    rows = [living[anchor.product_id] for anchor in known]
    vectors = snapshot.collection.vectors(rows, deadline)
    weights = np.array([anchor.weight for anchor in known], np.float64)
    groups = interests(vectors, weights, query.max_interests)
    seen = snapshot.seen(plan.without(query.excluded_ids))
    found = near(snapshot, vectors[[anchor for anchor, _ in groups]], seen, query.depth, deadline)
    wanted = {rows[anchor] for anchor, _ in groups} | {row for one in found for row in one.rows.tolist()}
    deadline.check("reading the products")
    read = products.read(list(wanted), described=False)
    shown = []
    for (anchor, members), one in zip(groups, found, strict=True):
        nearest = members[np.zeros(len(one.rows), np.int64)]
        if len(members) > 1:
            theirs = snapshot.collection.vectors(one.rows.tolist(), deadline)
            nearest = members[np.argmax(theirs @ vectors[members].T, axis=1)]
        candidates = (
            SimilarCandidate(read[row], float(cosine), known[member].product_id)
            for row, cosine, member in zip(one.rows.tolist(), one.scores, nearest.tolist(), strict=True)
        )
        share = float(weights[members].sum() / weights.sum())
        shown.append(Interest(read[rows[anchor]], share, tuple(candidates)))
    shown.sort(key=lambda one: (-one.share, one.anchor.id))
    return Similar(tuple(shown), missing, snapshot.revision)
