"""What can be set of the retriever: environment variables VITRINE_RETRIEVER_…, those of every server among them."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from vitrine.compute import thread_quota
from vitrine.served_models import Folders
from vitrine.server_settings import ServerSettings


class RetrieverSettings(ServerSettings):
    """The retriever's settings."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_RETRIEVER_", frozen=True)

    port: NonNegativeInt = Field(50_053, le=65_535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(Path("data"), description="folder of the catalogue and its indexes; one process at a time")
    catalogue_url: str = Field(
        "",
        validation_alias=AliasChoices("VITRINE_RETRIEVER_CATALOGUE_URL", "VITRINE_CATALOGUE_URL", "catalogue_url"),
        description="PostgreSQL that keeps the catalogue for several retrievers "
        "(also read from VITRINE_CATALOGUE_URL); empty: SQLite in data_dir",
    )
    catalogue_poll_s: PositiveFloat = Field(
        0.2, le=10, description="how often a retriever looks for what others wrote to PostgreSQL"
    )
    backend: Literal["faiss", "milvus"] = Field(
        "faiss", description="what searches: FAISS and tantivy in this process, or a Milvus server"
    )
    milvus_uri: str = Field("http://127.0.0.1:19530", description="address of Milvus, for the backend milvus")
    milvus_token: SecretStr = Field(SecretStr(""), description="user:password or key of Milvus; empty: none")
    milvus_database: str = Field("default", description="database of Milvus that holds the collections")
    milvus_index: Literal["FLAT", "HNSW", "DISKANN", "AUTOINDEX"] = Field(
        "HNSW", description="vector index of new Milvus collections"
    )
    milvus_replicas: PositiveInt = Field(
        1, description="copies of a collection in memory, each on query nodes of its own"
    )
    milvus_timeout_s: PositiveFloat = Field(10.0, description="how long Milvus may take to open a connection")
    recommender: str = Field(
        "", description="folder of the recommender bundle, for related products and the behaviour space; empty: none"
    )
    further_recommenders: Folders = Field((), description="folders of more recommender bundles, with commas")
    fusion: Literal["convex", "rrf"] = Field("convex", description="how words and vectors are fused")
    dense_weight: float = Field(
        0.8, ge=0, le=1, description="share of the vector's score in convex fusion, where words find other products"
    )
    agreed_dense_weight: float = Field(
        0.5, ge=0, le=1, description="the same where words find the same products; in between, in between"
    )
    named_dense_weight: float = Field(
        0.3, ge=0, le=1, description="the same for a query that names a brand or a model number"
    )
    index: Literal["auto", "exact", "hnsw", "ivf"] = Field(
        "auto", description="kind of the vector index; auto: exact up to exact_rows, then ivf (cells)"
    )
    storage: Literal["auto", "float32", "float16", "int8", "pq"] = Field(
        "auto",
        description="how vectors are kept in memory; auto: float32 up to exact_rows, then the first of float16, int8 "
        "and pq (product quantisation) that fits into memory_mb",
    )
    memory_mb: PositiveInt | None = Field(
        None, description="MiB that vectors may take; unset: half of what the process may use"
    )
    exact_rows: PositiveInt = Field(
        20_000, description="products up to which vectors are searched exactly; `switch_point` measures it"
    )
    examined_share: float = Field(
        0.01, gt=0, le=1, description="share of the vectors that a search of cells looks at, raised for recall_target"
    )
    recall_target: float = Field(0.97, ge=0, le=1, description="recall@100 that searches are made to reach")
    recall_floor: float = Field(0.9, ge=0, le=1, description="recall@100 below which health and GetIndex alert")
    recall_every_s: PositiveFloat = Field(5.0, description="seconds between searches that are made again exactly")
    rules: Path | None = Field(
        None, description="TOML file of a merchant's synonyms, pins and blocks, read anew when it changes; unset: none"
    )
    threads: PositiveInt | None = Field(None, description="threads that search; unset: as many as processors")
    queue: PositiveInt = Field(256, description="searches that may wait before more are refused")
    write_queue: PositiveInt = Field(64, description="writes that may wait before more are refused")
    write_processes: NonNegativeInt | None = Field(
        None,
        description="processes that make products ready while many are written; 0: none; unset: as many as processors, "
        "at most 4, and none with one processor",
    )
    lexical_memo: NonNegativeInt = Field(512, description="lexical results that are kept for the search with vector")
    product_cache: NonNegativeInt = Field(20_000, description="products that are kept ready in memory")

    @property
    def preparing_processes(self) -> int:
        """Processes that make products ready."""
        if self.write_processes is not None:
            return self.write_processes
        # Four give the one writer more than it can take.
        return min(quota, 4) if (quota := thread_quota()) > 1 else 0
