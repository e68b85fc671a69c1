"""The capacity model: what it chooses is what the retriever would, and what it prints adds up."""

import pytest
from typer.testing import CliRunner

from loadtest.capacity import BASE_BYTES, EACH_BYTES, app, milvus, retrievers, search_ms, vectors_of
from services.retriever.settings import RetrieverSettings

SETTINGS = RetrieverSettings(memory_mb=1_000)


def test_vectors_are_stored_as_the_index_would_store_them() -> None:
    assert vectors_of(10_000, 384, SETTINGS) == ("exact", "float32", 10_000 * 384 * 4)
    assert vectors_of(1_000_000, 384, SETTINGS) == ("ivf", "float16", 1_000_000 * 384 * 2)
    assert vectors_of(2_000_000, 384, SETTINGS) == ("ivf", "int8", 2_000_000 * 384)


def test_memory_grows_with_products_and_dims_and_searches_share_processors() -> None:
    one = retrievers(1_000_000, 384, 2, 50, SETTINGS)
    assert one.memory_bytes == BASE_BYTES + 1_000_000 * (EACH_BYTES + 384 * 2)
    assert retrievers(1_000_000, 512, 2, 50, SETTINGS).memory_bytes > one.memory_bytes
    assert retrievers(1_000_000, 384, 4, 50, SETTINGS).processors == one.processors
    assert one.processors == pytest.approx(50 * search_ms(1_000_000, 384, SETTINGS) / 1_000)
    assert milvus(1_000_000, 384, 2).memory_bytes > 1_000_000 * 384 * 4


def test_a_plan_names_every_part() -> None:
    result = CliRunner().invoke(app, ["plan", "--products", "500000", "--dim", "384", "--memory-gib", "8"])
    assert result.exit_code == 0, result.output
    for part in ("500,000 products x 384 x 2", "retrievers over FAISS", "rankers", "Milvus"):
        assert part in result.output
