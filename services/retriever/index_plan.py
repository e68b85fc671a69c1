"""The plan of the vector index: which kind and which storage a catalogue of some size gets."""

from dataclasses import dataclass
from typing import Literal

from services.retriever.settings import RetrieverSettings
from services.retriever.vector_store import ITEM_BYTES, Storage, VectorView
from vitrine.compute import memory_limit_bytes

Kind = Literal["exact", "hnsw", "ivf"]
# Products from which on a product quantiser is trained: its codebook alone is larger than the vectors of a few.
LEAST_QUANTIZED = 1_000
# Where the system does not say how much memory there is.
_UNKNOWN_BYTES = 8 << 30


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """What the settings say; "auto" leaves the choice to size and memory.

    `memory_bytes` is what vectors may take; `exact_rows` up to how many every one is looked at; `examined` the least
    share of the vectors that a search of cells looks at.
    """

    kind: Kind | Literal["auto"]
    storage: Storage | Literal["auto"]
    memory_bytes: int
    exact_rows: int
    examined: float

    @classmethod
    def of(cls, settings: RetrieverSettings) -> "IndexPlan":
        """The plan that the settings say; memory unset: half of what this process may use."""
        half_mb = (memory_limit_bytes() or _UNKNOWN_BYTES) // 2 >> 20
        return cls(
            kind=settings.index,
            storage=settings.storage,
            memory_bytes=(settings.memory_mb or half_mb) << 20,
            exact_rows=settings.exact_rows,
            examined=settings.examined_share,
        )

    def kind_for(self, products: int) -> Kind:
        """The kind of index for so many products."""
        if products <= self.exact_rows:
            return "exact"
        return "ivf" if self.kind == "auto" else self.kind

    def storage_for(self, products: int, dim: int) -> Storage:
        """float32 while every vector is looked at anyway, then the first of float16, int8 and pq that fits.

        By hand, too, pq is kept from `LEAST_QUANTIZED` products on, and float32 below.
        """
        if self.storage == "pq":
            return "pq" if products >= LEAST_QUANTIZED else "float32"
        if self.storage != "auto":
            return self.storage
        if products <= self.exact_rows:
            return "float32"
        storages: tuple[Storage, ...] = ("float16", "int8")
        fitting = (one for one in storages if products * dim * ITEM_BYTES[one] <= self.memory_bytes)
        return next(fitting, "pq" if products >= LEAST_QUANTIZED else "int8")

    def fault(self, storage: Storage, products: int, dim: int) -> str | None:
        """What is wrong where so many vectors, kept as they are to be, take more than they may; None: nothing."""
        taken = products * dim * ITEM_BYTES[storage]
        if products <= self.exact_rows or taken <= self.memory_bytes or self.is_kept_wrongly(storage, products, dim):
            return None
        mend = "raise it" if self.storage == "auto" else "raise it, or set VITRINE_RETRIEVER_STORAGE=auto"
        return (
            f"vectors take {taken / 2**20:,.1f} MiB as {storage}, and VITRINE_RETRIEVER_MEMORY_MB lets them have "
            f"{self.memory_bytes / 2**20:,.1f}: {mend}"
        )

    def is_outdated(self, vectors: VectorView, products: int) -> bool:
        """Whether vectors of so many are to be kept anew: otherwise, or by a quantiser that knows more of them."""
        outgrown = vectors.quantizer is not None and vectors.quantizer.is_outgrown(products)
        return products > 0 and (outgrown or self.is_kept_wrongly(vectors.storage, products, vectors.dim))

    def is_kept_wrongly(self, storage: Storage, products: int, dim: int) -> bool:
        """Whether vectors kept so are to be kept otherwise: they are too wide, or another storage was chosen by hand.

        Too narrow they stay until something else makes them anew: at the edge, each write could change it.
        """
        planned = self.storage_for(products, dim)
        return ITEM_BYTES[storage] > ITEM_BYTES[planned] or (self.storage != "auto" and storage != planned)
