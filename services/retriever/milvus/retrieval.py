"""One retrieval over Milvus: words and vector searched side by side, fused, cut, and their products read."""

import time
from concurrent.futures import Executor

import numpy as np

from services.retriever.filters import FilterPlan
from services.retriever.milvus.collection import NOTHING, Found
from services.retriever.milvus.search import cosines_of, near, worded
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.products import Products
from services.retriever.retrieval import POOL
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.fusion import best_first, convex_scores, reciprocal_rank_scores
from vitrine.ports import Candidate, Retrieval, RetrievalQuery, Shortfall, SourceScore
from vitrine.ports.retrieval import Source
from vitrine.text import normalize_text


def retrieve(
    snapshot: MilvusSnapshot,
    query: RetrievalQuery,
    plan: FilterPlan,
    *,
    products: Products,
    settings: RetrieverSettings,
    threads: Executor,
    deadline: Deadline,
) -> Retrieval:
    """Answers a checked query of the snapshot's model; words are searched in `threads` meanwhile."""
    limit, seen = max(POOL, query.depth), snapshot.seen(plan)

    def by_words() -> tuple[Found, float]:
        started = time.perf_counter()
        found = worded(snapshot, query.text, seen, limit, deadline) if normalize_text(query.text) else NOTHING
        return found, (time.perf_counter() - started) * 1_000

    def by_vector() -> tuple[Found, float]:
        started = time.perf_counter()
        found = NOTHING if query.vector is None else near(snapshot, query.vector[None], seen, limit, deadline)[0]
        return found, (time.perf_counter() - started) * 1_000

    words = threads.submit(by_words)
    dense, dense_ms = by_vector()
    lexical, lexical_ms = words.result(timeout=max(0.0, deadline.remaining_s()))
    id_of = dict(zip(dense.rows.tolist(), dense.ids, strict=True)) | dict(
        zip(lexical.rows.tolist(), lexical.ids, strict=True)
    )
    rows = np.union1d(dense.rows, lexical.rows)
    dense_ranks, cosines = _placed(rows, dense)
    lexical_ranks, bm25 = _placed(rows, lexical)
    if query.vector is not None and (unseen := dense_ranks == 0).any():
        cosines[unseen] = cosines_of(snapshot, query.vector, rows[unseen].tolist(), deadline)
    if query.vector is None:
        scores = bm25
    elif not len(lexical.rows):
        scores = cosines
    elif settings.fusion == "rrf":
        scores = reciprocal_rank_scores(dense_ranks, lexical_ranks)
    else:
        scores = convex_scores(cosines, bm25, dense_weight=settings.dense_weight)
    ids = [id_of[row] for row in rows.tolist()]
    order = best_first(scores, ids)[: query.depth]
    asked: list[tuple[Source, np.ndarray, np.ndarray]] = []
    if query.vector is not None:
        asked.append(("dense", dense_ranks, cosines))
    if query.text:
        asked.append(("lexical", lexical_ranks, bm25))
    deadline.check("reading the products")
    read = products.read(rows[order[: query.product_limit]].tolist(), query.with_description)
    candidates = tuple(
        Candidate(
            product_id=ids[index],
            score=float(scores[index]),
            sources=tuple(
                SourceScore(source, int(ranks[index]), float(known[index])) for source, ranks, known in asked
            ),
            product=read.get(int(rows[index])),
        )
        for index in order
    )
    return Retrieval(
        candidates=candidates,
        shortfall=Shortfall.NO_MORE_MATCHES if len(candidates) < query.depth else None,
        revision=snapshot.revision,
        lexical_ms=lexical_ms if query.text else 0.0,
        dense_ms=dense_ms if query.vector is not None else 0.0,
    )


def _placed(rows: np.ndarray, found: Found) -> tuple[np.ndarray, np.ndarray]:
    ranks, scores = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.float32)
    at = np.searchsorted(rows, found.rows)
    ranks[at], scores[at] = np.arange(1, len(found.rows) + 1), found.scores
    return ranks, scores
