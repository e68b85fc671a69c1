"""One retrieval: words and vector searched in a snapshot, fused, cut, and their products read. Runs in a thread."""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from services.retriever.beside import beside
from services.retriever.columns import IntArray
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.highlight import highlights_of, wanted_words
from services.retriever.lexical_memo import LexicalMemo
from services.retriever.matches import Matches, check_matching, is_sorted, window_size
from services.retriever.metrics import timed
from services.retriever.pins import first, pinned_positions
from services.retriever.products import Products
from services.retriever.query_reader import excluded_terms
from services.retriever.reading import Reading
from services.retriever.recall_probe import RecallProbe
from services.retriever.rules import NO_RULING, Rules
from services.retriever.settings import RetrieverSettings
from services.retriever.similar import without
from services.retriever.snapshot import Snapshot
from services.retriever.union import Found, united
from services.retriever.words import MAX_CHARACTERS
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, invalid
from vitrine.fusion import best_first
from vitrine.ports import BareCandidates, Candidate, Highlight, Retrieval, RetrievalQuery, Shortfall, SourceScore
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray, l2_normalized

# Found by vector and by words before fusion, whatever the depth asked for: so the first k are the same at any depth up
# to that. What lies deeper in the words is found by the vector, too, or is not among the best (docs/search.md).
POOL, WORDS_POOL = 1_000, 500
# As many as `words_of` looks at; the check runs on the event loop, which megabytes would hold up.
MAX_TEXT_CHARACTERS = MAX_CHARACTERS


def checked_query(query: RetrievalQuery) -> tuple[RetrievalQuery, FilterPlan]:
    """The query with its vector normalised, and its filter's plan. Raises InvalidArgument naming the field."""
    if query.depth < 1:
        raise invalid("depth", f"is {query.depth}; ask for at least 1")
    if query.product_limit is not None and not 0 <= query.product_limit <= query.depth:
        raise invalid("product_limit", f"is {query.product_limit}; it lies between 0 and depth, {query.depth}")
    if len(query.text) > MAX_TEXT_CHARACTERS:
        raise invalid("text", f"has {len(query.text)} characters; at most {MAX_TEXT_CHARACTERS} are allowed")
    check_matching(query)
    if query.vector is None:
        if not normalize_text(query.text) and not is_sorted(query):
            raise invalid("text", "is empty and there is no vector; give one of them, or both, or an order_by")
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
    rules: Rules,
    memo: LexicalMemo,
    products: Products,
    settings: RetrieverSettings,
    probe: RecallProbe,
    threads: Executor,
    deadline: Deadline,
) -> Retrieval:
    """Answers a checked query. The deadline is looked at before each stage.

    One of the `threads` that is free searches the words meanwhile.
    """
    check_model(snapshot.model_digest, snapshot.dim, query)
    ruling = rules.ruling(query.text, datetime.now(UTC))
    plan = ruling.applied(plan)
    limit, words_limit = max(POOL, query.depth), max(WORDS_POOL, query.depth)
    columns = snapshot.columns
    deadline.check("the search")
    worded: Callable[[], tuple[Reading, Found | None, float]]
    worded = partial(_worded, snapshot, query.text, plan, words_limit, rules, memo, deadline)
    dense, dense_ms = None, 0.0
    if query.vector is not None and columns.living:
        # Before the words are offered, which ask for it too: a filter that is new is answered once.
        allowed = columns.allowed(plan)
        if query.text and not memo.keeps(snapshot, query.text, plan, words_limit, rules.synonyms):
            worded = beside(threads, worded)
        started = time.perf_counter()
        if excluded := excluded_terms(query.text):
            allowed = without(allowed, columns.positions_of(snapshot.lexical.holding_any(excluded)))
        with timed("vector"):
            dense = snapshot.dense.search(query.vector, allowed, limit)
        probe.consider(snapshot, query.vector, allowed, dense[0])
        dense_ms = (time.perf_counter() - started) * 1_000
    reading, lexical, lexical_ms = worded()
    union = united(
        lexical,
        dense,
        cosines_of=lambda positions: _cosines(snapshot, query.vector, positions),
        ids_of=columns.ids_at,
    )
    weight = union.dense_weight(reading.named, settings)
    is_weighted = settings.fusion == "convex" and lexical is not None and dense is not None
    scores = union.scores(settings.fusion, weight)
    order = best_first(scores, union.ids)
    models: set[int] = set()
    if reading.models:
        asked_for = np.isin(union.keys[order], columns.positions_of(snapshot.lexical.holding_any(reading.models)))
        order = np.concatenate([order[asked_for], order[~asked_for]])
        models.update(union.keys[order][: asked_for.sum()].tolist())
    pinned = pinned_positions(snapshot, plan, ruling if query.with_pins and not is_sorted(query) else NO_RULING)
    found = first(pinned, union.keys[order])
    window = found[: window_size(query, scores[order])]
    deadline.check("what matches")

    def matching_few(read: Reading, within: FilterPlan, limit: int) -> tuple[int, IntArray]:
        return memo.matching_few(snapshot, read, within, limit, deadline)

    told = Matches(snapshot, query, plan, None if lexical is None else reading, window, matching_few).told()
    positions = found[: query.depth] if told.listed is None else told.listed
    places = union.places(positions)
    deadline.check("reading the products")
    # Whoever ranks the others has so many of them all the same.
    shown_limit = None if query.product_limit is None else query.product_limit + len(pinned) + len(models)
    rows = columns.rows[positions[:shown_limit]].tolist()
    with timed("products"):
        read = products.read(rows, query.with_description)
    shown = [read[row] for row in rows]
    highlights: list[tuple[Highlight, ...]] = []
    if query.highlight:
        described, wanted = products.read(rows, True), wanted_words(reading)
        highlights = [highlights_of(described[row], wanted) for row in rows]
    told_of = len(shown) if query.with_bare_rest else len(positions)
    ids = columns.ids_at(positions)
    sources = union.sources(places[:told_of])
    for index, position in enumerate(positions[:told_of].tolist() if len(pinned) or models else ()):
        pin = [SourceScore("pin", index + 1, 0.0)] if index < len(pinned) else []
        model = [SourceScore("model_number", index + 1, 0.0)] if position in models else []
        sources[index] = (*sources[index], *pin, *model)
    # What a list holds beyond what was found by score has none.
    fused = np.append(scores, 0.0)[places].tolist()
    unshown = told_of - len(shown)
    candidates = tuple(
        map(
            Candidate,
            ids,
            fused[:told_of],
            sources,
            [*shown, *[None] * unshown],
            [*(highlights or [()] * len(shown)), *[()] * unshown],
        )
    )
    return Retrieval(
        candidates=candidates,
        rest=BareCandidates(list(ids)[told_of:], fused[told_of:]),
        shortfall=Shortfall.NO_MORE_MATCHES if len(positions) < query.depth else None,
        revision=snapshot.revision,
        lexical_ms=lexical_ms,
        dense_ms=dense_ms,
        reading=reading.told(weight if is_weighted else None),
        facets=told.facets,
        total_size=told.total_size,
        next_cursor=told.next_cursor,
        best_bm25=float(union.bm25.max(initial=0.0)),
    )


def _worded(
    snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, rules: Rules, memo: LexicalMemo, deadline: Deadline
) -> tuple[Reading, Found | None, float]:
    """How the text is read, the positions and BM25 of what its words find, and milliseconds; None for no words."""
    if not normalize_text(text):
        return Reading(), None, 0.0
    started = time.perf_counter()
    deadline.check("the search by words")
    with timed("words"):
        words = memo.search(snapshot, text, plan, limit, rules.synonyms, deadline)
    positions = snapshot.columns.positions_of(words.rows, words.near)
    living = positions >= 0
    return words.reading, (positions[living], words.bm25[living]), (time.perf_counter() - started) * 1_000


def _cosines(snapshot: Snapshot, vector: FloatArray | None, positions: IntArray) -> FloatArray:
    assert vector is not None, "only a search by vector asks for cosines"
    return snapshot.dense.cosines(vector, positions)


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
