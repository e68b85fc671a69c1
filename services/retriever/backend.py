"""The backend that the settings choose."""

from typing import TYPE_CHECKING

from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings

if TYPE_CHECKING:
    from services.retriever.milvus.engine import MilvusEngine


async def open_engine(settings: RetrieverSettings) -> "RetrieverEngine | MilvusEngine":
    """Opens the engine of the chosen backend. Raises FailedPrecondition or Unavailable when it cannot be opened."""
    if settings.backend == "faiss":
        return await RetrieverEngine.open(settings)
    # Only who wants Milvus has its client, which takes a second to import.
    from services.retriever.milvus.engine import MilvusEngine

    return await MilvusEngine.open(settings)
