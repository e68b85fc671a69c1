"""The connection to Milvus: opens, makes and drops collections."""

from collections.abc import Mapping
from typing import Any

from pymilvus import DataType, Function, FunctionType, MilvusClient

from services.retriever.milvus.collection import MAX_TERMS, MAX_WORDS_BYTES, WRITE_TIMEOUT_S, Collection, answered
from services.retriever.settings import RetrieverSettings
from vitrine.errors import Unavailable
from vitrine.shown_address import shown_address

# Those of the other backend's words: Robertson et al. 1994.
_BM25 = {"bm25_k1": 1.2, "bm25_b": 0.75}
_BUILD: dict[str, dict[str, int]] = {"HNSW": {"M": 16, "efConstruction": 200}}


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
            f"open {shown_address(settings.milvus_uri)}",
        )
        version = str(answered(lambda: self.client.get_server_version(timeout=self.timeout_s), "say its version"))
        # The one for tests has no index over arrays, and needs none.
        self._indexes_arrays = not version.startswith("milvus_lite")

    def collection(self, name: str, dims: Mapping[str, int]) -> Collection | None:
        """The collection of that name, ready to be searched; None where there is none. `dims`: as it was created."""
        if not answered(lambda: self.client.has_collection(name, timeout=self.timeout_s), "look for a collection"):
            return None
        self._load(name)
        return self._opened(name, dims)

    def models(self, prefix: str) -> dict[str, str]:
        """The models' digests of the collections whose names begin so; "" where none is told, or it has just gone."""
        names = answered(lambda: self.client.list_collections(timeout=self.timeout_s), "list collections")
        return {name: self._model_of(name) for name in names if name.startswith(prefix)}

    def _model_of(self, name: str) -> str:
        try:
            told = answered(
                lambda: self.client.describe_collection(name, timeout=self.timeout_s), "tell of a collection"
            )
        except Unavailable:
            # Of what is left of a crash several retrievers that start clear away the same.
            if answered(lambda: self.client.has_collection(name, timeout=self.timeout_s), "look for a collection"):
                raise
            return ""
        return str(told.get("description", ""))

    def create(self, name: str, dims: Mapping[str, int], model_digest: str) -> Collection:
        """A new, empty collection with fields for vectors of so many numbers; `VECTOR` is that of a product's text."""
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False, description=model_digest)
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
            lambda: self.client.create_collection(name, schema=schema, timeout=WRITE_TIMEOUT_S), "create a collection"
        )
        # Of nothing there is nothing to build, so nothing to wait for.
        answered(lambda: self.client.create_index(name, indexes, sync=False, timeout=WRITE_TIMEOUT_S), "make an index")
        self._load(name)
        return self._opened(name, dims)

    def _opened(self, name: str, dims: Mapping[str, int]) -> Collection:
        return Collection(self.client, name, dims, kind=self.kind, consistency=self.consistency)

    def _load(self, name: str) -> None:
        load = self.client.load_collection
        answered(lambda: load(name, replica_number=self._replicas, timeout=WRITE_TIMEOUT_S), "load a collection")

    def drop(self, name: str) -> None:
        """Removes a collection, if there is one."""
        answered(lambda: self.client.drop_collection(name, timeout=WRITE_TIMEOUT_S), "drop a collection")

    def close(self) -> None:
        """Ends the connection."""
        self.client.close()
