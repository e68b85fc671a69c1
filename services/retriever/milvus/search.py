"""Searches in a snapshot: nearest vectors, and best words, ties by id; as many as match, up to the limit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from services.retriever.milvus.collection import NOTHING, VECTOR, Found
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.milvus.tokens import tokens_of
from services.retriever.reading import ReadTerm
from vitrine.deadline import Deadline
from vitrine.fusion import best_first
from vitrine.vectors import FloatArray


def near(
    snapshot: MilvusSnapshot, vectors: FloatArray, seen: str, limit: int, deadline: Deadline, field: str = VECTOR
) -> list[Found]:
    """For each of (q, dim) L2-normalised vectors the nearest that the expression allows, best first, by a field.

    A graph may miss what a filter leaves (milvus#28603): where there are fewer than asked for, what it missed is read.
    """
    if snapshot.collection is None:
        return [NOTHING] * len(vectors)
    deadline.check("the search by vector")
    found = snapshot.collection.near(field, vectors, seen, limit, deadline)
    if all(len(one.rows) >= limit for one in found):
        return [_in_order(one) for one in found]
    count = min(limit, snapshot.collection.count(seen, deadline))
    return [
        _in_order(one if len(one.rows) >= count else _completed(snapshot, field, vector, one, seen, count, deadline))
        for vector, one in zip(vectors, found, strict=True)
    ]


def worded(snapshot: MilvusSnapshot, terms: Sequence[ReadTerm], seen: str, limit: int, deadline: Deadline) -> Found:
    """Those that the expression allows and that hold a word of the terms, or of what may stand for one, by BM25."""
    words = [word for term in terms for words in (term.term.words, *term.instead) for word in words]
    tokens = " ".join(dict.fromkeys(tokens_of(words)))
    if snapshot.collection is None or not tokens:
        return NOTHING
    deadline.check("the search by words")
    return _in_order(snapshot.collection.worded(tokens, seen, limit, deadline))


def _completed(
    snapshot: MilvusSnapshot, field: str, vector: FloatArray, found: Found, seen: str, count: int, deadline: Deadline
) -> Found:
    assert snapshot.collection is not None
    missed = f"{seen} and row not in {found.rows.tolist()}"
    read = snapshot.collection.read(missed, ["id", field], count - len(found.rows), deadline)
    cosines = np.array([entity[field] for entity in read], np.float32).reshape(len(read), len(vector)) @ vector
    return Found(
        rows=np.concatenate([found.rows, np.array([entity["row"] for entity in read], np.int64)]),
        ids=(*found.ids, *(entity["id"] for entity in read)),
        scores=np.concatenate([found.scores, cosines.astype(np.float32)]),
    )


def cosines_of(
    snapshot: MilvusSnapshot, vector: FloatArray | None, rows: Sequence[int], deadline: Deadline
) -> FloatArray:
    """(len(rows),) cosines of those versions to a (dim,) L2-normalised vector."""
    if snapshot.collection is None or vector is None or not len(rows):
        return np.empty(0, np.float32)
    return snapshot.collection.vectors(rows, deadline) @ vector


def _in_order(found: Found) -> Found:
    order = best_first(found.scores, found.ids)
    return replace(
        found, rows=found.rows[order], ids=tuple(found.ids[place] for place in order), scores=found.scores[order]
    )
