"""The backend that suggests: the engine itself, and its client over gRPC."""

from typing import Any

import pytest

from services.retriever.engine import RetrieverEngine
from vitrine.ports import Retriever


@pytest.fixture(params=["engine", "client"])
async def retriever(request: pytest.FixtureRequest, open_engine: Any, serve_engine: Any) -> Retriever:
    engine: RetrieverEngine = await open_engine()
    return engine if request.param == "engine" else await serve_engine(engine)
