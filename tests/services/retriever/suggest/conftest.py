"""The backend that suggests: the engine itself, its client over gRPC, and the engine over Milvus."""

from typing import Any

import pytest

from services.retriever.engine import RetrieverEngine
from vitrine.ports import Retriever


@pytest.fixture(params=["engine", "client", "milvus"])
async def retriever(request: pytest.FixtureRequest, open_engine: Any, serve_engine: Any) -> Retriever:
    engine: RetrieverEngine = await open_engine(backend="milvus" if request.param == "milvus" else "faiss")
    return await serve_engine(engine) if request.param == "client" else engine
