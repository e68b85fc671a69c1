"""One retrieval: words and vector searched in a snapshot, fused, cut, and their products read. Runs in a thread."""

import time
from dataclasses import dataclass, replace

import numpy as np

from services.retriever.columns import IntArray
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.lexical_memo import LexicalMemo
from services.retriever.products import Products
from services.retriever.settings import RetrieverSettings
from services.retriever.snapshot import Snapshot
from services.retriever.words import MAX_CHARACTERS
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, invalid
from vitrine.fusion import best_first, convex_scores, reciprocal_rank_scores
from vitrine.ports import Candidate, Retrieval, RetrievalQuery, Shortfall, SourceScore
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray, l2_normalized

# Found by each source before fusion, whatever the depth asked for: so the first k are the same at any depth.
POOL = 1_000
# As many as `words_of` looks at; the check runs on the event loop, which megabytes would hold up.
MAX_TEXT_CHARACTERS = MAX_CHARACTERS


@dataclass(frozen=True, slots=True)
class _Union:
    """Candidates of both sources: position, cosine, BM25 and the rank in each list, from 1, 0 where it is not there."""

    positions: IntArray
    cosines: FloatArray
    bm25: FloatArray
    dense_ranks: IntArray
    lexical_ranks: IntArray


def checked_query(query: RetrievalQuery) -> tuple[RetrievalQuery, FilterPlan]:
    """The query with its vector normalised, and its filter's plan. Raises InvalidArgument naming the field."""
    if query.depth < 1:
        raise invalid("depth", f"is {query.depth}; ask for at least 1")
    if query.product_limit is not None and not 0 <= query.product_limit <= query.depth:
        raise invalid("product_limit", f"is {query.product_limit}; it lies between 0 and depth, {query.depth}")
    if len(query.text) > MAX_TEXT_CHARACTERS:
        raise invalid("text", f"has {len(query.text)} characters; at most {MAX_TEXT_CHARACTERS} are allowed")
    if query.vector is None:
        if not normalize_text(query.text):
            raise invalid("text", "is empty and there is no vector; give one of them, or both")
        return query, plan_of(query.filter)
    if query.vector.ndim != 1:
        raise invalid("vector", f"has {query.vector.ndim} dimensions; give one vector")
    if not np.isfinite(query.vector).all() or not query.vector.any():
        raise invalid("vector.data", "is all zeros or not finite; give the embedder's vector")
    if not query.model_digest:
        raise invalid("model_digest", "is empty; name the model that made the vector")
    return replace(query, vector=l2_normalized(query.vector[None])[0]), plan_of(query.filter)


def retrieve(
    snapshot: Snapshot,
    query: RetrievalQuery,
    plan: FilterPlan,
    *,
    memo: LexicalMemo,
    products: Products,
    settings: RetrieverSettings,
    deadline: Deadline,
) -> Retrieval:
    """Answers a checked query. The deadline is looked at before each stage."""
    check_model(snapshot.model_digest, snapshot.dim, query)
    limit = max(POOL, query.depth)
    started = time.perf_counter()
    found: tuple[IntArray, FloatArray] = (np.empty(0, np.int64), np.empty(0, np.float32))
    if normalize_text(query.text):
        deadline.check("the search by words")
        found_rows, bm25 = memo.search(snapshot, query.text, plan, limit, deadline)
        positions = snapshot.columns.positions_of(found_rows)
        found = (positions[positions >= 0], bm25[positions >= 0])
    worded = time.perf_counter()
    near: tuple[IntArray, FloatArray] = (np.empty(0, np.int64), np.empty(0, np.float32))
    if query.vector is not None and snapshot.columns.living:
        deadline.check("the search by vector")
        near = snapshot.dense.search(query.vector, snapshot.columns.allowed(plan), limit)
    union = _union(snapshot, query.vector, found, near)
    searched = time.perf_counter()
    scores = _scores(union, query, settings)
    ids = [snapshot.columns.ids[position] for position in union.positions]
    order = best_first(scores, ids)[: query.depth]
    deadline.check("reading the products")
    rows = snapshot.columns.rows[union.positions[order[: query.product_limit]]].tolist()
    read = products.read(rows, query.with_description)
    shown = [read[row] for row in rows]
    candidates = tuple(
        Candidate(
            product_id=ids[index],
            score=float(scores[index]),
            sources=_sources(union, index, query),
            product=shown[place] if place < len(shown) else None,
        )
        for place, index in enumerate(order)
    )
    return Retrieval(
        candidates=candidates,
        shortfall=Shortfall.NO_MORE_MATCHES if len(candidates) < query.depth else None,
        revision=snapshot.revision,
        lexical_ms=(worded - started) * 1_000 if query.text else 0.0,
        dense_ms=(searched - worded) * 1_000 if query.vector is not None else 0.0,
    )


def check_model(model_digest: str, dim: int, query: RetrievalQuery) -> None:
    """Raises FailedPrecondition when the query's vector is of another model than the catalogue's, "" being none."""
    if query.vector is None or not model_digest:
        return
    if query.model_digest != model_digest:
        raise FailedPrecondition(
            f"the vector is of model {query.model_digest} and the catalogue holds those of {model_digest}; "
            "embed the query with the catalogue's model",
            reason="MODEL_MISMATCH",
        )
    if len(query.vector) != dim:
        raise FailedPrecondition(
            f"the vector has {len(query.vector)} numbers and the catalogue's have {dim}",
            reason="MODEL_MISMATCH",
        )


def _union(
    snapshot: Snapshot,
    vector: FloatArray | None,
    found: tuple[IntArray, FloatArray],
    near: tuple[IntArray, FloatArray],
) -> _Union:
    lexical, bm25 = found
    dense, cosines = near
    positions = np.union1d(lexical, dense)
    at_lexical = np.searchsorted(positions, lexical)
    at_dense = np.searchsorted(positions, dense)
    all_cosines = np.zeros(len(positions), np.float32)
    dense_ranks = np.zeros(len(positions), np.int64)
    dense_ranks[at_dense] = np.arange(1, len(dense) + 1)
    all_cosines[at_dense] = cosines
    if vector is not None:
        unseen = dense_ranks == 0
        all_cosines[unseen] = snapshot.dense.cosines(vector, positions[unseen])
    all_bm25 = np.zeros(len(positions), np.float32)
    all_bm25[at_lexical] = bm25
    lexical_ranks = np.zeros(len(positions), np.int64)
    by_score = best_first(bm25, [snapshot.columns.ids[position] for position in lexical])
    lexical_ranks[at_lexical[by_score]] = np.arange(1, len(lexical) + 1)
    return _Union(positions, all_cosines, all_bm25, dense_ranks, lexical_ranks)


def _scores(union: _Union, query: RetrievalQuery, settings: RetrieverSettings) -> FloatArray:
    if query.vector is None:
        return union.bm25
    if not union.lexical_ranks.any():
        return union.cosines
    if settings.fusion == "rrf":
        return reciprocal_rank_scores(union.dense_ranks, union.lexical_ranks)
    return convex_scores(union.cosines, union.bm25, dense_weight=settings.dense_weight)


def _sources(union: _Union, index: int, query: RetrievalQuery) -> tuple[SourceScore, ...]:
    sources = []
    if query.vector is not None:
        sources.append(SourceScore("dense", int(union.dense_ranks[index]), float(union.cosines[index])))
    if query.text:
        sources.append(SourceScore("lexical", int(union.lexical_ranks[index]), float(union.bm25[index])))
    return tuple(sources)
