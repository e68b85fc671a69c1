"""Judgement files of every format give labels; each wrong one is named."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.training.sources.shop import PRODUCTS, write_lines
from training.errors import TrainingError
from training.sources.files import SourceFiles, Sources, open_sources
from training.sources.labels import draw_labels, held_out, labels_of
from training.sources.supervision import training_lists, training_pairs

_ROWS = [
    {"query": "Red Phone", "product_id": "a", "grade": 3},
    {"query": "red phone", "product_id": "b", "grade": 1},
    {"query": "red phone", "product_id": "c", "grade": 0},
    {"query": "耳机", "product_id": "d", "grade": 2},
]


def _opened(tmp_path: Path, judgements: Path) -> Sources:
    products = write_lines(tmp_path / "products.jsonl", PRODUCTS)
    return open_sources(SourceFiles((products,), judgements=(judgements,)), tmp_path / "run")


def _written(tmp_path: Path, ending: str) -> Path:
    path = tmp_path / f"judgements{ending}"
    if ending == ".jsonl":
        return write_lines(path, _ROWS)
    if ending == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(_ROWS), path)
        return path
    path.write_text("query,product_id,grade\n" + "".join(f"{','.join(map(str, r.values()))}\n" for r in _ROWS))
    return path


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_lists_and_pairs_are_the_same_from_every_format(tmp_path: Path, ending: str) -> None:
    sources = _opened(tmp_path, _written(tmp_path, ending))
    (phone,) = training_lists(sources)
    assert phone.query == "red phone"
    assert phone.product_ids == ("a", "b", "c")
    assert phone.relevance == (1.0, pytest.approx(1 / 3), 0.0)
    pairs = {(pair.query, pair.product_id): pair for pair in training_pairs(sources)}
    assert set(pairs) == {("red phone", "a"), ("red phone", "b"), ("耳机", "d")}
    # Of at most half the relevance: the blue phone is no answer to red, and the case is none to either.
    assert set(pairs["red phone", "a"].negatives) == set(sources.catalogue.documents([1, 2]))
    assert pairs["red phone", "b"].negatives == tuple(sources.catalogue.documents([2]))


def test_a_pair_judged_twice_has_the_mean_grade(tmp_path: Path) -> None:
    rows = [*_ROWS, {"query": "red phone", "product_id": "b", "grade": 2}]
    (phone,) = training_lists(_opened(tmp_path, write_lines(tmp_path / "j.jsonl", rows)))
    assert phone.relevance == (1.0, 0.5, 0.0)


def test_held_out_queries_are_apart_and_labels_are_drawn_from_the_others(tmp_path: Path) -> None:
    rows = [{"query": f"q{n}", "product_id": p, "grade": int(p == "a")} for n in range(60) for p in "abc"]
    sources = _opened(tmp_path, write_lines(tmp_path / "j.jsonl", rows))
    aside = held_out(0.3, 5)
    held = {one.query for one in training_lists(sources, queries=aside)}
    learned = {one.query for one in training_lists(sources, queries=lambda query: not aside(query))}
    assert not held & learned
    assert len(held | learned) == 60
    assert 8 <= len(held) <= 28
    few, more = (draw_labels(sources, count, 1, lambda query: not aside(query)) for count in (10, 30))
    assert len(few) == 10
    assert few < more
    assert {label.query for label in more} <= learned
    drawn = list(training_lists(sources, labels=more))
    assert sum(len(one.product_ids) for one in drawn) <= 30
    assert len(list(labels_of(sources))) == 180


def test_no_labels_give_no_pairs(tmp_path: Path) -> None:
    sources = _opened(tmp_path, _written(tmp_path, ".jsonl"))
    assert list(training_pairs(sources, labels=draw_labels(sources, 0, 1))) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no label; give rows of query, product_id and grade"),
        ([{"query": "q", "product_id": "a", "grade": 2}] * 3, "all 3 labels have grade 2; give at least two"),
        (
            [*_ROWS, *({"query": "q", "product_id": f"z{n}", "grade": 1} for n in range(5))],
            "5 labels are for products that the catalogue lacks, the first 'z0'",
        ),
        ([{"query": "q", "product": "a", "rating": 1}], "line 1: no column 'product_id'; it has 'query', 'product', "),
        ([_ROWS[0], {"query": "q", "product_id": "a", "grade": "good"}], "line 2: grade 'good' is not a number"),
        ([{"query": "q", "product_id": "a", "grade": -1}], "line 1: grade -1; grades are finite and not negative"),
        ([{"query": " ", "product_id": "a", "grade": 1}], "line 1: query is empty"),
    ],
)
def test_wrong_labels_are_named_and_nothing_stays(tmp_path: Path, rows: list[dict[str, object]], message: str) -> None:
    path = write_lines(tmp_path / "j.jsonl", rows)
    with pytest.raises(TrainingError) as caught:
        _opened(tmp_path, path)
    assert message in str(caught.value)
    assert "j.jsonl" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_cut_parquet_file_is_one_line(tmp_path: Path) -> None:
    path = _written(tmp_path, ".parquet")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(TrainingError, match="is not a Parquet file") as caught:
        _opened(tmp_path, path)
    assert "\n" not in str(caught.value)


def test_a_later_run_takes_the_store_and_other_files_make_it_anew(tmp_path: Path) -> None:
    path = _written(tmp_path, ".jsonl")
    _opened(tmp_path, path).close()
    made = (tmp_path / "run" / "sources.sqlite").stat().st_mtime_ns
    _opened(tmp_path, path).close()
    assert (tmp_path / "run" / "sources.sqlite").stat().st_mtime_ns == made
    write_lines(path, [*_ROWS, json.loads('{"query": "x", "product_id": "a", "grade": 1}')])
    assert len(list(labels_of(_opened(tmp_path, path)))) == 5
