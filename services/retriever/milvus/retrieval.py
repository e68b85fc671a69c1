"""One retrieval over Milvus: words and vector searched side by side, fused, cut, and their products read."""

import time
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from services.retriever.filters import FilterPlan
from services.retriever.highlight import highlights_of, wanted_words
from services.retriever.milvus.collection import NOTHING, Found
from services.retriever.milvus.expression import held_by
from services.retriever.milvus.matches import MilvusMatches
from services.retriever.milvus.search import cosines_of, near, worded
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.milvus.term_index import Counts, MilvusTermIndex
from services.retriever.products import Products
from services.retriever.query_reader import read_query
from services.retriever.reading import Reading
from services.retriever.retrieval import POOL
from services.retriever.settings import RetrieverSettings
from services.retriever.union import united
from vitrine.deadline import Deadline
from vitrine.fusion import best_first
from vitrine.ports import Candidate, Highlight, Retrieval, RetrievalQuery, Shortfall
from vitrine.text import normalize_text


class _Timed(NamedTuple):
    found: Found
    took_ms: float


def retrieve(
    snapshot: MilvusSnapshot,
    query: RetrievalQuery,
    plan: FilterPlan,
    *,
    counts: Counts,
    products: Products,
    settings: RetrieverSettings,
    threads: Executor,
    deadline: Deadline,
) -> Retrieval:
    """Answers a checked query of the snapshot's model; words are searched in `threads` meanwhile."""
    limit, seen, vector = max(POOL, query.depth), snapshot.seen(plan), query.vector
    started = time.perf_counter()
    has_words = bool(normalize_text(query.text))
    reading = read_query(query.text, MilvusTermIndex(snapshot, counts, deadline)) if has_words else Reading()
    if reading.excluded:
        seen += "".join(f" and not {held_by(term.holdings)}" for term in reading.excluded)

    def by_words() -> _Timed:
        found = worded(snapshot, reading.terms, seen, limit, deadline) if has_words else NOTHING
        return _Timed(found, (time.perf_counter() - started) * 1_000)

    def by_vector() -> _Timed:
        began = time.perf_counter()
        found = NOTHING if vector is None else near(snapshot, vector[None], seen, limit, deadline)[0]
        return _Timed(found, (time.perf_counter() - began) * 1_000)

    waiting = threads.submit(by_words)
    dense = by_vector()
    lexical = waiting.result(timeout=max(0.0, deadline.remaining_s()))
    id_of = {row: i for one in (dense.found, lexical.found) for row, i in zip(one.rows.tolist(), one.ids, strict=True)}
    union = united(
        (lexical.found.rows, lexical.found.scores) if has_words else None,
        None if vector is None else (dense.found.rows, dense.found.scores),
        cosines_of=lambda rows: cosines_of(snapshot, vector, rows.tolist(), deadline),
        ids_of=lambda rows: [id_of[row] for row in rows.tolist()],
    )
    weight = settings.named_dense_weight if reading.named else settings.dense_weight
    scores = union.scores(settings.fusion, weight)
    order = best_first(scores, union.ids)
    window = union.keys[order[: query.depth if query.window is None else query.window]].tolist()
    told = MilvusMatches(snapshot, query, plan, reading if has_words else None, window, deadline).told()
    places = order[: query.depth]
    rows = union.keys[places].tolist()
    if told.listed is not None:
        rows = [row for row, _ in told.listed]
        id_of |= dict(told.listed)
        places = union.places(np.array(rows, np.int64))
    deadline.check("reading the products")
    shown = rows[: query.product_limit]
    read = products.read(shown, query.with_description)
    highlights: dict[int, tuple[Highlight, ...]] = {}
    if query.highlight:
        described, wanted = products.read(shown, True), wanted_words(reading)
        highlights = {row: highlights_of(described[row], wanted) for row in shown}
    candidates = tuple(
        # What a list holds beyond what was found by score has none.
        Candidate(
            product_id=id_of[row],
            score=float(scores[place]) if place >= 0 else 0.0,
            sources=union.sources(place) if place >= 0 else (),
            product=read.get(row),
            highlights=highlights.get(row, ()),
        )
        for row, place in zip(rows, places.tolist(), strict=True)
    )
    is_weighted = settings.fusion == "convex" and has_words and vector is not None
    return Retrieval(
        candidates=candidates,
        shortfall=Shortfall.NO_MORE_MATCHES if len(candidates) < query.depth else None,
        revision=snapshot.revision,
        lexical_ms=lexical.took_ms if has_words else 0.0,
        dense_ms=0.0 if vector is None else dense.took_ms,
        reading=reading.told(weight if is_weighted else None),
        facets=told.facets,
        total_size=told.total_size,
        next_cursor=told.next_cursor,
    )
