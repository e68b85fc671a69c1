"""One Milvus collection: versions of products by row key, each with its vector, its words and what filters ask."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import grpc
import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import MilvusException

from services.retriever.settings import RetrieverSettings
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
_WRITE_TIMEOUT_S = 60.0
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


class Milvus:
    """A connection to a server and the kind of index that it shall keep. Raises Unavailable when it is away."""

    def __init__(self, settings: RetrieverSettings) -> None:
        self.kind = settings.milvus_index
        self.timeout_s = settings.milvus_timeout_s
        self._replicas = settings.milvus_replicas
        # Strong waits for every write of everyone before it answers, Session for those of this connection alone.
        self.consistency = "Strong" if settings.catalogue_url else "Session"
        self.client: Any = answered(
            lambda: MilvusClient(
                uri=settings.milvus_uri,
                token=settings.milvus_token.get_secret_value(),
                db_name=settings.milvus_database,
                timeout=settings.milvus_timeout_s,
                # A server that is asked nothing may take pings for an attack, and end the connection.
                grpc_options={"grpc.keepalive_permit_without_calls": False},
            ),
            f"open {settings.milvus_uri}",
        )
        version = str(answered(lambda: self.client.get_server_version(timeout=self.timeout_s), "say its version"))
        # The one for tests has no index over arrays, and needs none.
        self._indexes_arrays = not version.startswith("milvus_lite")

    def collection(self, name: str, dims: Mapping[str, int]) -> "Collection | None":
        """The collection of that name, ready to be searched; None where there is none. `dims`: as it was created."""
        if not answered(lambda: self.client.has_collection(name, timeout=self.timeout_s), "look for a collection"):
            return None
        self._load(name)
        return Collection(self, name, dims)

    def create(self, name: str, dims: Mapping[str, int]) -> "Collection":
        """A new, empty collection with fields for vectors of so many numbers; `VECTOR` is that of a product's text."""
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field("id", DataType.VARCHAR, max_length=512)
        for field, dim in dims.items():
            schema.add_field(field, DataType.FLOAT_VECTOR, dim=dim)
        schema.add_field(
            "terms", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=MAX_TERMS, max_length=MAX_WORDS_BYTES
        )
        schema.add_field("texts", DataType.JSON)
        schema.add_field("values", DataType.JSON)
        schema.add_field("numbers", DataType.JSON)
        # The words are made by the retriever, as for the other backend; here they are only divided at blanks.
        schema.add_field(
            "words",
            DataType.VARCHAR,
            max_length=MAX_WORDS_BYTES,
            enable_analyzer=True,
            enable_match=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("word_weights", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function("bm25", FunctionType.BM25, input_field_names=["words"], output_field_names=["word_weights"])
        )
        indexes = self.client.prepare_index_params()
        for field in dims:
            indexes.add_index(field, index_type=self.kind, metric_type="IP", params=_BUILD.get(self.kind, {}))
        indexes.add_index("word_weights", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params=_BM25)
        if self._indexes_arrays:
            indexes.add_index("terms", index_type="INVERTED")
        answered(
            lambda: self.client.create_collection(name, schema=schema, timeout=_WRITE_TIMEOUT_S), "create a collection"
        )
        # Of nothing there is nothing to build, so nothing to wait for.
        answered(lambda: self.client.create_index(name, indexes, sync=False, timeout=_WRITE_TIMEOUT_S), "make an index")
        self._load(name)
        return Collection(self, name, dims)

    def _load(self, name: str) -> None:
        load = self.client.load_collection
        answered(lambda: load(name, replica_number=self._replicas, timeout=_WRITE_TIMEOUT_S), "load a collection")

    def drop(self, name: str) -> None:
        """Removes a collection, if there is one."""
        answered(lambda: self.client.drop_collection(name, timeout=_WRITE_TIMEOUT_S), "drop a collection")

    def close(self) -> None:
        """Ends the connection."""
        self.client.close()


# Those of the other backend's words: Robertson et al. 1994.
_BM25 = {"bm25_k1": 1.2, "bm25_b": 0.75}
_BUILD: dict[str, dict[str, int]] = {"HNSW": {"M": 16, "efConstruction": 200}}


class Collection:
    """Rows of one collection. `filter` is a Milvus expression; calls raise Unavailable or DeadlineExceeded."""

    def __init__(self, milvus: Milvus, name: str, dims: Mapping[str, int]) -> None:
        self._milvus = milvus
        self._client = milvus.client
        self.name = name
        self.dims = dims

    def put(self, entities: Sequence[dict[str, object]]) -> None:
        """Writes entities by their row key; one that is there already is replaced."""
        for start in range(0, len(entities), _PUT_ROWS):
            part = list(entities[start : start + _PUT_ROWS])
            answered(partial(self._client.upsert, self.name, part, timeout=_WRITE_TIMEOUT_S), "write")

    def remove(self, rows: Sequence[int]) -> None:
        """Removes entities by their row key."""
        for start in range(0, len(rows), MAX_FOUND):
            part = list(rows[start : start + MAX_FOUND])
            answered(partial(self._client.delete, self.name, ids=part, timeout=_WRITE_TIMEOUT_S), "delete")

    def near(self, field: str, vectors: FloatArray, filter: str, limit: int, deadline: Deadline) -> list[Found]:
        """For each of (q, dim) L2-normalised vectors the nearest by cosine, by a field of vectors."""
        return self._search(list(vectors), field, filter, limit, deadline, _breadth(self._milvus.kind, limit))

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
                consistency_level=self._milvus.consistency,
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
                consistency_level=self._milvus.consistency,
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
                consistency_level=self._milvus.consistency,
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
