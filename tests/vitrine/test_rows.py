"""Rows of product files, and the faults that real ones have."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from vitrine.errors import InvalidArgument
from vitrine.rows import MAX_CELL_CHARACTERS, Row, RowFile


def test_json_lines_keep_their_place_around_faults(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"id": "1"}\n\n{"id": "2", \n["id"]\n{"id": "\xff"}\n{"id": ' + b"9" * 5_000 + b'}\n{"id": "7"}'
    )
    rows = list(RowFile(path).rows())
    assert [(row.number, row.line) for row in rows] == [(1, 1), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]
    assert [row.values for row in rows if not row.fault] == [{"id": "1"}, {"id": "7"}]
    assert "is not JSON" in rows[1].fault
    assert "an object is needed" in rows[2].fault
    assert "is not UTF-8 (byte 8" in rows[3].fault
    assert rows[4].fault
    assert rows[-1].position == RowFile(path).size


def test_csv_keeps_its_place_around_faults(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid, title\r\n"
        b'1,"two\nlines"\r\n'
        b"\r\n"
        b"2,a,b\r\n"
        b"3,\xff\r\n"
        b"4," + b"x" * MAX_CELL_CHARACTERS + b"y\r\n"
        b'5,"quoted, with ""marks"""\r\n'
        b'6,"never closed\r\n7,swallowed\r\n'
    )
    rows = list(RowFile(path).rows())
    assert [row.line for row in rows] == [2, 5, 6, 7, 8, 9]
    assert rows[0].values == {"id": "1", "title": "two\nlines"}
    assert rows[1].fault == "has 3 cells, and the first line names 2 columns"
    assert rows[2].fault == "holds bytes that are no text in its encoding"
    assert "field larger than field limit" in rows[3].fault
    assert rows[4].values == {"id": "5", "title": 'quoted, with "marks"'}


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("id,title,title\n1,a,b\n")
    with pytest.raises(InvalidArgument, match="name each column once"):
        list(RowFile(path).rows())


def test_parquet_rows_are_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "shop.parquet"
    rows = [{"id": number, "tags": ["a", "b"], "price": None} for number in range(1_200)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    file = RowFile(path)
    assert file.size == 1_200
    assert [row.values for row in file.rows()] == rows
    assert [row.number for row in file.rows(skip=700)] == list(range(701, 1_201))


@pytest.mark.parametrize("name", ["shop.jsonl", "shop.jsonl.gz", "shop.csv", "shop.tsv.gz"])
def test_skipped_rows_are_those_before(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    lines = [f'{{"id": "{number}"}}' if "json" in name else str(number) for number in range(20)]
    text = "\n".join(lines if "json" in name else ["id", *lines])
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    rows = list(RowFile(path).rows())
    assert [row.values["id"] for row in rows] == [str(number) for number in range(20)]
    for skip in (0, 1, 19, 20):
        assert list(RowFile(path).rows(skip)) == rows[skip:]


def test_a_damaged_archive_ends_with_a_clear_error_after_its_good_rows(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl.gz"
    whole = gzip.compress(b"".join(b'{"id": "%d"}\n' % number for number in range(50_000)))
    path.write_bytes(whole[: len(whole) // 2])
    good: list[Row] = []
    with pytest.raises(InvalidArgument, match="cannot be read to its end"):
        good.extend(RowFile(path).rows())
    assert len(good) > 1_000


@pytest.mark.parametrize(
    ("name", "message"),
    [("shop.xlsx", "ends in one of"), ("shop.parquet.gz", "ends in one of"), ("gone.csv", "there is no file")],
)
def test_what_is_no_product_file_is_refused(tmp_path: Path, name: str, message: str) -> None:
    if name != "gone.csv":
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidArgument, match=message):
        RowFile(tmp_path / name)


def test_a_file_that_only_says_it_is_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.parquet").write_bytes(b"id,title\n1,a\n")
    with pytest.raises(InvalidArgument, match="is not a Parquet file"):
        RowFile(tmp_path / "shop.parquet")


@pytest.mark.parametrize("encoding", ["gb18030", "cp1252", "utf-16"])
@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str, ending: str, pack: Callable[[bytes], bytes]) -> None:
    titles = ["café 5 €" if encoding == "cp1252" else "蓝牙耳机"] * 30_000
    lines = ["title", *titles] if ending == ".csv" else [json.dumps({"title": t}, ensure_ascii=False) for t in titles]
    path = tmp_path / "export"
    path.write_bytes(pack("\n".join(lines).encode(encoding)))
    rows = list(RowFile(path, ending=ending, encoding=encoding).rows())
    assert [row.values["title"] for row in rows] == titles
    assert rows[-1].position == path.stat().st_size


def test_a_byte_that_the_encoding_does_not_know_costs_its_row(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes("id;title\n1;手机\n".encode("gb18030") + b"2;\xff\n3;x\n")
    rows = list(RowFile(path, encoding="gb18030", delimiter=";").rows())
    assert [(row.values, row.fault) for row in rows] == [
        ({"id": "1", "title": "手机"}, ""),
        ({}, "holds bytes that are no text in its encoding"),
        ({"id": "3", "title": "x"}, ""),
    ]


def test_empty_cells_after_the_last_column_are_none(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("id,title,,\n1,a,,\n2,b\n3,c,d\n")
    rows = list(RowFile(path).rows())
    assert [row.values for row in rows] == [{"id": "1", "title": "a"}, {"id": "2", "title": "b"}, {}]
    assert rows[2].fault == "has 3 cells, and the first line names 2 columns"
