"""Catalogues are read whatever their format, in bounded memory, and what is wrong is named."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.training.sources.shop import PRODUCTS, write_lines
from training.errors import TrainingError
from training.sources.files import SourceFiles, Sources, open_sources
from vitrine.product import Product
from vitrine.product_text import embedding_text


def _opened(tmp_path: Path, *products: Path) -> Sources:
    return open_sources(SourceFiles(products), tmp_path / "run")


def test_products_are_read_by_number_and_by_id(tmp_path: Path) -> None:
    catalogue = _opened(tmp_path, write_lines(tmp_path / "products.jsonl", PRODUCTS)).catalogue
    assert [item.id for item in catalogue.items()] == ["a", "b", "c", "d"]
    assert catalogue.numbers(["c", "a"]) == [2, 0]
    with pytest.raises(KeyError):
        catalogue.numbers(["z"])
    told = Product("a", "Acme K1 red phone, 128 GB", "Acme")
    assert catalogue.documents([0]) == [embedding_text(told)]


def test_model_and_kind_come_from_attributes_else_from_title_and_category(tmp_path: Path) -> None:
    catalogue = _opened(tmp_path, write_lines(tmp_path / "products.jsonl", PRODUCTS)).catalogue
    assert [item.model for item in catalogue.items()] == ["K1", "K2", "", ""]
    assert [item.kind for item in catalogue.items()] == ["", "", "Phone case", "耳机"]
    assert [item.language for item in catalogue.items()] == ["en", "en", "en", "zh"]


def test_a_product_that_comes_twice_counts_as_its_last_row_says(tmp_path: Path) -> None:
    rows = [*PRODUCTS, {"id": "a", "title": "Acme K1 green phone"}]
    catalogue = _opened(tmp_path, write_lines(tmp_path / "products.jsonl", rows)).catalogue
    assert len(catalogue) == 4
    assert catalogue.item(0).title == "Acme K1 green phone"


def test_the_same_product_in_the_other_language_is_its_twin(tmp_path: Path) -> None:
    rows = [
        {"id": "1-en", "title": "Red kettle"},
        {"id": "1-zh", "title": "红色 水壶"},
        {"id": "x", "title": "Sony WH-1000XM5 headphones", "brand": "Sony"},
        {"id": "y", "title": "Sony WH-1000XM5 无线耳机", "brand": "Sony"},
        {"id": "z", "title": "Sony WH-1000XM4 headphones", "brand": "Sony"},
    ]
    catalogue = _opened(tmp_path, write_lines(tmp_path / "products.jsonl", rows)).catalogue
    twins = [catalogue.twin(item) for item in catalogue.items()]
    assert [twin.id if twin else None for twin in twins] == ["1-zh", "1-en", "y", "x", None]


def test_rows_that_are_no_product_are_left_out_and_noted(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "products.jsonl", [*PRODUCTS, {"id": "e"}])
    with path.open("a") as file:
        file.write("{broken\n")
    sources = _opened(tmp_path, path)
    assert len(sources.catalogue) == 4
    assert any("2 rows left out, the first line 5: title: is empty" in note for note in sources.notes)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("products.jsonl", b"", "no product"),
        ("products.jsonl", b'{"id": "a"}\n', "no product; 1 rows refused, the first line 1: title: is empty"),
        (
            "products.jsonl.gz",
            gzip.compress(json.dumps(PRODUCTS[0]).encode() * 50, mtime=0)[:-20],
            "cannot be read to its end",
        ),
        ("products.parquet", b"PAR1 cut short", "is not a Parquet file"),
        ("products.txt", b"", "give a file that ends in one of"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=message) as caught:
        _opened(tmp_path, path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_parquet_is_read_by_row_groups_in_memory_that_does_not_grow(tmp_path: Path) -> None:
    """Ten times the rows, the same peak: of Arrow's buffers and of Python's objects."""
    peaks = []
    for groups in (3, 30):
        path = tmp_path / f"products-{groups}.parquet"
        _write_row_groups(path, groups)
        before = pyarrow.default_memory_pool()
        pool = pyarrow.proxy_memory_pool(before)
        pyarrow.set_memory_pool(pool)
        tracemalloc.start()
        try:
            sources = open_sources(SourceFiles((path,)), tmp_path / f"run-{groups}")
            assert len(sources.catalogue) == groups * 200
            peaks.append((pool.max_memory(), tracemalloc.get_traced_memory()[1]))
        finally:
            tracemalloc.stop()
            pyarrow.set_memory_pool(before)
    (few_arrow, few_python), (many_arrow, many_python) = peaks
    assert 0 < many_arrow < 2 * few_arrow
    assert many_python < 2 * few_python


def _write_row_groups(path: Path, groups: int) -> None:
    schema = pyarrow.schema([("id", pyarrow.string()), ("title", pyarrow.string()), ("description", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for group in range(groups):
            names = [f"{group}-{row}" for row in range(200)]
            columns = [names, [f"phone {name}" for name in names], [f"{name} " * 100 for name in names]]
            writer.write_table(pyarrow.table(dict(zip(schema.names, columns, strict=True)), schema))
