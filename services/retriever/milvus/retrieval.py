"""One retrieval over Milvus: words and vector searched side by side, fused, cut, and their products read."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from services.retriever.conditions import ID, OneOf
from services.retriever.filters import FilterPlan
from services.retriever.highlight import highlights_of, wanted_words
from services.retriever.matches import is_sorted, window_size
from services.retriever.milvus.collection import MAX_FOUND, NOTHING, Found
from services.retriever.milvus.expression import expression_of, held_by
from services.retriever.milvus.matches import MilvusMatches
from services.retriever.milvus.search import cosines_of, near, worded
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.milvus.term_index import Counts, MilvusTermIndex
from services.retriever.pins import first
from services.retriever.products import Products
from services.retriever.query_reader import read_query
from services.retriever.reading import Reading
from services.retriever.retrieval import POOL, WORDS_POOL
from services.retriever.rules import Rules
from services.retriever.settings import RetrieverSettings
from services.retriever.union import united
from services.retriever.words import Term
from vitrine.deadline import Deadline
from vitrine.fusion import best_first
from vitrine.ports import BareCandidates, Candidate, Highlight, Retrieval, RetrievalQuery, Shortfall, SourceScore
from vitrine.text import normalize_text


class _Timed(NamedTuple):
    found: Found
    took_ms: float


def retrieve(
    snapshot: MilvusSnapshot,
    query: RetrievalQuery,
    plan: FilterPlan,
    *,
    rules: Rules,
    counts: Counts,
    products: Products,
    settings: RetrieverSettings,
    threads: Executor,
    deadline: Deadline,
) -> Retrieval:
    """Answers a checked query of the snapshot's model; words are searched in `threads` meanwhile."""
    ruling = rules.ruling(query.text, datetime.now(UTC))
    plan = ruling.applied(plan)
    limit, seen, vector = max(POOL, query.depth), snapshot.seen(plan), query.vector
    pinned = _pinned(snapshot, ruling.pins, seen, deadline) if query.with_pins and not is_sorted(query) else {}
    started = time.perf_counter()
    has_words = bool(normalize_text(query.text))
    reading = Reading()
    if has_words:
        reading = read_query(query.text, MilvusTermIndex(snapshot, counts, deadline), rules.synonyms)
    if reading.excluded:
        seen += "".join(f" and not {held_by(term.holdings)}" for term in reading.excluded)

    def by_words() -> _Timed:
        most = max(WORDS_POOL, query.depth)
        found = worded(snapshot, reading.terms, seen, most, deadline) if has_words else NOTHING
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
    weight = union.dense_weight(reading.named, settings)
    scores = union.scores(settings.fusion, weight)
    order = best_first(scores, union.ids)
    models: set[int] = set()
    if reading.models:
        asked_for = np.isin(union.keys[order], _holding(snapshot, reading.models, seen, deadline))
        order = np.concatenate([order[asked_for], order[~asked_for]])
        models.update(union.keys[order][: asked_for.sum()].tolist())
    id_of |= pinned
    found = first(np.array(list(pinned), np.int64), union.keys[order])
    window = found[: window_size(query, scores[order])].tolist()
    told = MilvusMatches(snapshot, query, plan, reading if has_words else None, window, deadline).told()
    rows = found[: query.depth].tolist()
    if told.listed is not None:
        rows = [row for row, _ in told.listed]
        id_of |= dict(told.listed)
    places = union.places(np.array(rows, np.int64))
    deadline.check("reading the products")
    # Whoever ranks the others has so many of them all the same.
    shown = rows[: None if query.product_limit is None else query.product_limit + len(pinned) + len(models)]
    read = products.read(shown, query.with_description)
    highlights: dict[int, tuple[Highlight, ...]] = {}
    if query.highlight:
        described, wanted = products.read(shown, True), wanted_words(reading)
        highlights = {row: highlights_of(described[row], wanted) for row in shown}
    told_of = len(shown) if query.with_bare_rest else len(rows)
    # What a list holds beyond what was found by score has none.
    fused = np.append(scores, 0.0)[places].tolist()
    sources = union.sources(places[:told_of])
    candidates = tuple(
        Candidate(
            product_id=id_of[row],
            score=score,
            sources=(
                *of_one,
                *([SourceScore("pin", index + 1, 0.0)] if index < len(pinned) else ()),
                *([SourceScore("model_number", index + 1, 0.0)] if row in models else ()),
            ),
            product=read.get(row),
            highlights=highlights.get(row, ()),
        )
        for index, (row, score, of_one) in enumerate(zip(rows[:told_of], fused, sources, strict=False))
    )
    is_weighted = settings.fusion == "convex" and has_words and vector is not None
    return Retrieval(
        candidates=candidates,
        rest=BareCandidates([id_of[row] for row in rows[told_of:]], fused[told_of:]),
        shortfall=Shortfall.NO_MORE_MATCHES if len(rows) < query.depth else None,
        revision=snapshot.revision,
        lexical_ms=lexical.took_ms if has_words else 0.0,
        dense_ms=0.0 if vector is None else dense.took_ms,
        reading=reading.told(weight if is_weighted else None),
        facets=told.facets,
        total_size=told.total_size,
        next_cursor=told.next_cursor,
        best_bm25=float(union.bm25.max(initial=0.0)),
    )


def _holding(snapshot: MilvusSnapshot, terms: Sequence[Term], seen: str, deadline: Deadline) -> list[int]:
    """Row keys of what the expression allows and that holds one of the terms, which few do."""
    if snapshot.collection is None:
        return []
    held = " or ".join(held_by(term.holdings) for term in terms)
    return [entity["row"] for entity in snapshot.collection.read(f"{seen} and ({held})", ["row"], MAX_FOUND, deadline)]


def _pinned(snapshot: MilvusSnapshot, pins: Sequence[str], seen: str, deadline: Deadline) -> dict[int, str]:
    """Row keys and ids of the pins that the expression allows, in their order."""
    if snapshot.collection is None or not pins:
        return {}
    wanted = expression_of(OneOf(ID, frozenset(pins)))
    read = snapshot.collection.read(f"{seen} and {wanted}", ["id"], len(pins), deadline)
    row_of = {entity["id"]: entity["row"] for entity in read}
    return {row_of[pin]: pin for pin in pins if pin in row_of}
