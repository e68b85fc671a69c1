"""Products by what visitors did: found by each relation, and all of them scored by every one. Runs in a thread."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np

from services.retriever.beside import beside
from services.retriever.columns import BoolArray, ColumnsView, IntArray
from services.retriever.filters import FilterPlan
from services.retriever.products import Products
from services.retriever.recommender import BehaviourView, Recommender
from services.retriever.relation_search import Anchors, Searched, Seen, learned_searches, text_search
from services.retriever.similar import rows_of, without
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, invalid
from vitrine.ports import BehaviourVectors, Related, RelatedQuery, Relation, RelationColumn
from vitrine.product import Product

# Positions that are looked at first where the newest are wanted.
_RECENT = 4_096


def recommender_of(recommenders: Sequence[Recommender], digest: str) -> Recommender:
    """The recommender `digest`, "" being the first. Raises FailedPrecondition when it is not served, and says why."""
    if not recommenders:
        raise FailedPrecondition(
            "no recommender is served here; set VITRINE_RETRIEVER_RECOMMENDER to a bundle's folder",
            reason="NO_RECOMMENDER",
        )
    named = next((one for one in recommenders if digest in ("", one.digest)), None)
    if named is None:
        raise FailedPrecondition(
            f"the call is of recommender {digest} and {', '.join(one.digest for one in recommenders)} is served; let"
            " embedder and retriever serve the same",
            reason="RECOMMENDER_MISMATCH",
        )
    return named


def behaviour_of(snapshot: Searched, recommenders: Sequence[Recommender], digest: str) -> BehaviourView:
    """The snapshot's behaviour space of that recommender. Raises FailedPrecondition when it has none."""
    named = recommender_of(recommenders, digest)
    if named.digest not in snapshot.columns.behaviours:
        named.require_model(snapshot.model_digest, snapshot.dim)
        raise AssertionError("columns without a behaviour space are of another model")
    return snapshot.columns.behaviours[named.digest]


def vectors_of(behaviour: BehaviourView, columns: ColumnsView, products: Mapping[int, Product]) -> BehaviourVectors:
    """Products by row key, in their order, with their vectors."""
    positions = columns.positions_of(np.array(list(products), np.int64))
    return BehaviourVectors(tuple(products.values()), behaviour.vectors[positions], behaviour.recommender.digest)


def related(
    snapshot: Searched,
    recommenders: Sequence[Recommender],
    query: RelatedQuery,
    plan: FilterPlan,
    living: Mapping[str, int],
    *,
    products: Products,
    threads: Executor,
    deadline: Deadline,
) -> Related:
    """Answers a checked query; `living` maps ids of anchors, scored and excluded products to row keys.

    TEXT costs about as much as all the others: one of the `threads` that is free sees to it meanwhile.
    """
    behaviour = behaviour_of(snapshot, recommenders, query.recommender_digest)
    _check_vector(query, behaviour.recommender)
    columns = snapshot.columns
    allowed = without(columns.allowed(plan), columns.positions_of(rows_of(query.excluded_ids, living)))
    anchors = Anchors.of(query, living, columns, behaviour)
    text = text_search(anchors, snapshot)
    finding = None
    if text is not None and Relation.TEXT in query.relations:
        finding = beside(threads, partial(text.found, allowed, query.depth))
    searches = learned_searches(anchors, query.history_vector, columns, behaviour)
    deadline.check("the search for related products")
    found = {one: searches[one].found(allowed, query.depth) for one in query.relations if one in searches}
    if finding is not None:
        found[Relation.TEXT] = finding()
    scored = columns.positions_of(rows_of(query.scored_ids, living))
    newest = newest_positions(allowed, query.newest)
    union = np.unique(np.concatenate([*found.values(), scored[allowed[scored]], newest]))
    union = np.array(sorted(union.tolist(), key=columns.ids.__getitem__), np.int64)
    seeing = beside(threads, partial(text.seen, union)) if text is not None else None
    seen = {relation: search.seen(union) for relation, search in searches.items()}
    deadline.check("reading the products")
    rows = columns.rows[union].tolist()
    read = products.read(rows, described=False)
    missing = tuple(anchor.product_id for anchor in query.anchors if anchor.product_id not in living)
    if seeing is not None:
        seen[Relation.TEXT] = seeing()
    return Related(
        products=[read[row] for row in rows],
        relations=_columns(seen, union, found),
        trained_events=behaviour.recommender.events_of(behaviour.numbers[union]),
        anchor_ids=anchors.ids,
        missing_ids=missing,
        recommender_digest=behaviour.recommender.digest,
        revision=snapshot.revision,
    )


def newest_positions(allowed: BoolArray, count: int) -> IntArray:
    """The last `count` of those allowed, last first: row keys grow with each write, and columns are in their order."""
    for looked_at in (_RECENT, len(allowed)):
        first = max(len(allowed) - looked_at, 0)
        found = np.flatnonzero(allowed[first:]) + first
        if len(found) >= count:
            break
    return found[: -count - 1 : -1]


def _columns(
    seen: Mapping[Relation, Seen], union: IntArray, found: Mapping[Relation, IntArray]
) -> dict[Relation, RelationColumn]:
    """How each relation sees the positions of the union, and at which rank it found them."""
    columns = {}
    at = np.argsort(union)
    for relation, one in seen.items():
        ranks = np.zeros(len(union), np.int64)
        if relation in found:
            places = at[np.searchsorted(union, found[relation], sorter=at)]
            ranks[places] = np.arange(1, len(places) + 1)
        columns[relation] = RelationColumn(
            ranks=ranks,
            scores=np.where(one.known, one.scores, np.float32(np.nan)),
            anchors=np.where(one.known, one.anchors, -1),
        )
    return columns


def _check_vector(query: RelatedQuery, recommender: Recommender) -> None:
    if query.history_vector is None:
        return
    if len(query.history_vector) != recommender.dim:
        raise invalid("history_vector", f"has {len(query.history_vector)} numbers; {recommender.dim} are needed")
