"""Products by what visitors did: found by each relation, and all of them scored by every one. Runs in a thread."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import numpy as np

from services.retriever.columns import IntArray
from services.retriever.filters import FilterPlan
from services.retriever.products import Products
from services.retriever.recommender import BehaviourView, Recommender
from services.retriever.relation_search import Anchors, RelationSearch, relation_searches
from services.retriever.similar import rows_of, without
from services.retriever.snapshot import Snapshot
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, invalid
from vitrine.ports import BehaviourVectors, Related, RelatedCandidate, RelatedQuery, Relation, RelationScore


def behaviour_of(snapshot: Snapshot, recommender: Recommender | None) -> BehaviourView:
    """The snapshot's behaviour space. Raises FailedPrecondition when there is none, and says why."""
    if recommender is None:
        raise FailedPrecondition(
            "no recommender is served here; set VITRINE_RETRIEVER_RECOMMENDER to a bundle's folder",
            reason="NO_RECOMMENDER",
        )
    if snapshot.columns.behaviour is None:
        recommender.require_model(snapshot.model_digest, snapshot.dim)
        raise AssertionError("columns without behaviour are of another model")
    return snapshot.columns.behaviour


def vectors_of(
    snapshot: Snapshot, recommender: Recommender | None, ids: Sequence[str], living: Mapping[str, int]
) -> BehaviourVectors:
    """Vectors of checked ids; `living` maps ids to row keys."""
    behaviour = behaviour_of(snapshot, recommender)
    positions = snapshot.columns.positions_of(rows_of(ids, living))
    found = tuple(product_id for product_id in ids if product_id in living)
    return BehaviourVectors(found, behaviour.vectors[positions], behaviour.recommender.digest)


def related(
    snapshot: Snapshot,
    recommender: Recommender | None,
    query: RelatedQuery,
    plan: FilterPlan,
    living: Mapping[str, int],
    *,
    products: Products,
    threads: Executor,
    deadline: Deadline,
) -> Related:
    """Answers a checked query; `living` maps ids of anchors, scored and excluded products to row keys.

    Relations search side by side in `threads`, which must not be those that answer queries.
    """
    behaviour = behaviour_of(snapshot, recommender)
    _check_vector(query, behaviour.recommender)
    columns = snapshot.columns
    allowed = without(columns.allowed(plan), columns.positions_of(rows_of(query.excluded_ids, living)))
    anchors = Anchors.of(query, living, columns, behaviour)
    searches = relation_searches(anchors, query.history_vector, snapshot, behaviour)
    deadline.check("the search for related products")
    wanted = [relation for relation in query.relations if relation in searches]
    lists = threads.map(lambda relation: searches[relation].found(allowed, query.depth), wanted)
    found = dict(zip(wanted, lists, strict=True))
    scored = columns.positions_of(rows_of(query.scored_ids, living))
    union = np.unique(np.concatenate([*found.values(), scored[allowed[scored]]]))
    union = union[np.argsort([columns.ids[position] for position in union.tolist()])]
    entries = _entries(searches, anchors, union, found)
    deadline.check("reading the products")
    rows = columns.rows[union].tolist()
    read = products.read(rows, described=False)
    events = behaviour.recommender.events_of(behaviour.numbers[union]).tolist()
    candidates = tuple(
        RelatedCandidate(read[row], tuple(scores), count)
        for row, scores, count in zip(rows, entries, events, strict=True)
    )
    missing = tuple(anchor.product_id for anchor in query.anchors if anchor.product_id not in living)
    return Related(candidates, missing, behaviour.recommender.digest, snapshot.revision)


def _entries(
    searches: Mapping[Relation, RelationSearch],
    anchors: Anchors,
    union: IntArray,
    found: Mapping[Relation, IntArray],
) -> list[list[RelationScore]]:
    """For each position of the union, an entry for each relation that knows it."""
    entries: list[list[RelationScore]] = [[] for _ in union]
    for relation, search in searches.items():
        seen = search.seen(union)
        rank_of = {position: rank for rank, position in enumerate(found.get(relation, np.zeros(0)).tolist(), 1)}
        places = np.flatnonzero(seen.known)
        for place, position, score, anchor in zip(
            places.tolist(),
            union[places].tolist(),
            seen.scores[places].tolist(),
            seen.anchors[places].tolist(),
            strict=True,
        ):
            anchor_id = anchors.ids[anchor] if anchor >= 0 else ""
            entries[place].append(RelationScore(relation, rank_of.get(position, 0), score, anchor_id))
    return entries


def _check_vector(query: RelatedQuery, recommender: Recommender) -> None:
    if query.history_vector is None:
        return
    if query.recommender_digest != recommender.digest:
        raise FailedPrecondition(
            f"the history's vector is of recommender {query.recommender_digest} and {recommender.digest} is served;"
            " let embedder and retriever serve the same one",
            reason="RECOMMENDER_MISMATCH",
        )
    if len(query.history_vector) != recommender.dim:
        raise invalid("history_vector", f"has {len(query.history_vector)} numbers; {recommender.dim} are needed")
