"""One Milvus collection: versions of products by row key, each with its vector, its words and what filters ask."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import grpc
import numpy as np
from numpy.typing import NDArray
from pymilvus.exceptions import MilvusException

from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable
from vitrine.vectors import FloatArray

# Milvus answers no search and no query with more.
MAX_FOUND = 16_384
# The field of a product's text vector.
VECTOR = "vector"
# Rows in one request: with 1,024 numbers and long words 5 MB of the 64 that a server takes.
_PUT_ROWS = 500
_READ_ROWS = 5_000
WRITE_TIMEOUT_S = 60.0
MAX_WORDS_BYTES = 65_535
MAX_TERMS = 4_096
# Every error that it logs with a traceback is raised too.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first: row keys (n,), product ids and scores (n,), larger is better."""

    rows: NDArray[np.int64]
    ids: tuple[str, ...]
    scores: FloatArray


NOTHING = Found(np.empty(0, np.int64), (), np.empty(0, np.float32))


class Collection:
    """Rows of one collection. `filter` is a Milvus expression; calls raise Unavailable or DeadlineExceeded."""

    def __init__(self, client: Any, name: str, dims: Mapping[str, int], *, kind: str, consistency: str) -> None:
        """`dims` as it was created with; its vectors' index is of `kind`."""
        self._client = client
        self._kind = kind
        self._consistency = consistency
        self.name = name
        self.dims = dims

    def put(self, entities: Sequence[dict[str, object]]) -> None:
        """Writes entities by their row key; one that is there already is replaced."""
        for start in range(0, len(entities), _PUT_ROWS):
            part = list(entities[start : start + _PUT_ROWS])
            answered(partial(self._client.upsert, self.name, part, timeout=WRITE_TIMEOUT_S), "write")

    def remove(self, rows: Sequence[int]) -> None:
        """Removes entities by their row key."""
        for start in range(0, len(rows), MAX_FOUND):
            part = list(rows[start : start + MAX_FOUND])
            answered(partial(self._client.delete, self.name, ids=part, timeout=WRITE_TIMEOUT_S), "delete")

    def near(self, field: str, vectors: FloatArray, filter: str, limit: int, deadline: Deadline) -> list[Found]:
        """For each of (q, dim) L2-normalised vectors the nearest by cosine, by a field of vectors."""
        return self._search(list(vectors), field, filter, limit, deadline, _breadth(self._kind, limit))

    def worded(self, words: str, filter: str, limit: int, deadline: Deadline) -> Found:
        """The best by BM25 of those that hold one of the words or more."""
        found = self._search([words], "word_weights", filter, limit, deadline, {})[0]
        # Milvus Lite gives them below zero, as distances; the server as they are, never below.
        return replace(found, scores=np.abs(found.scores))

    def vectors(self, rows: Sequence[int], deadline: Deadline) -> FloatArray:
        """(len(rows), dim) float32 vectors by row key, all of which must be there."""
        found = {entity["row"]: entity[VECTOR] for entity in self._read(f"row in {list(rows)}", [VECTOR], deadline)}
        return np.array([found[row] for row in rows], np.float32)

    def read(self, filter: str, fields: Sequence[str], limit: int, deadline: Deadline) -> list[dict[str, Any]]:
        """The fields of at most `limit` entities that match, in any order; the row key is always among them."""
        return self._read(filter, fields, deadline, limit=limit)

    def count(self, filter: str, deadline: Deadline) -> int:
        """How many match."""
        return int(self._read(filter, ["count(*)"], deadline)[0]["count(*)"])

    def each(self, filter: str, fields: Sequence[str], deadline: Deadline) -> Iterator[dict[str, Any]]:
        """The fields of all that match, in the order of their row keys."""
        reading = answered(
            lambda: self._client.query_iterator(
                self.name,
                batch_size=_READ_ROWS,
                filter=filter,
                output_fields=list(fields),
                timeout=_seconds(deadline),
                consistency_level=self._consistency,
            ),
            "read",
        )
        try:
            while part := answered(reading.next, "read"):
                deadline.check("reading from Milvus")
                yield from sorted(part, key=lambda entity: entity["row"])
        finally:
            reading.close()

    def _read(self, filter: str, fields: Sequence[str], deadline: Deadline, **limits: int) -> list[dict[str, Any]]:
        return answered(
            lambda: self._client.query(
                self.name,
                filter=filter,
                output_fields=list(fields),
                timeout=_seconds(deadline),
                consistency_level=self._consistency,
                **limits,
            ),
            "read",
        )

    def _search(
        self,
        data: list[Any],
        field: str,
        filter: str,
        limit: int,
        deadline: Deadline,
        params: dict[str, int],
    ) -> list[Found]:
        hits = answered(
            lambda: self._client.search(
                self.name,
                data=data,
                anns_field=field,
                filter=filter,
                limit=limit,
                output_fields=["id"],
                search_params={"params": params},
                timeout=_seconds(deadline),
                consistency_level=self._consistency,
            ),
            "search",
        )
        return [_found(one) for one in hits]


def answered(call: Callable[[], T], what: str) -> T:
    """What a call to Milvus gives. Raises DeadlineExceeded or Unavailable, saying what Milvus could not do."""
    try:
        return call()
    except MilvusException as error:
        raise Unavailable(f"Milvus cannot {what}: {error.message}") from error
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise DeadlineExceeded(f"no time left for Milvus to {what}") from error
        raise Unavailable(f"Milvus cannot {what}: {error}") from error


def _seconds(deadline: Deadline) -> float:
    # Of nothing left it would make a call without a limit.
    return max(deadline.remaining_s(), 0.001)


def _breadth(kind: str, limit: int) -> dict[str, int]:
    """How much a graph looks at: more than is wanted, and never so little that much is missed."""
    breadth = max(200, limit + limit // 5)
    return {"HNSW": {"ef": breadth}, "DISKANN": {"search_list": breadth}}.get(kind, {})


def _found(hits: Any) -> Found:
    return Found(
        rows=np.array([hit["row"] for hit in hits], np.int64),
        ids=tuple(hit["entity"]["id"] for hit in hits),
        scores=np.array([hit["distance"] for hit in hits], np.float32),
    )
