"""Baskets, split by time, by the real command on a small log whose figures follow by hand."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from evaluation.recommendation.next_basket import basket_tasks, between, first_baskets
from evaluation.recommendation.online_retail import read_online_retail
from training.recommendation.interactions import interactions
from vitrine.errors import InvalidArgument
from vitrine.v1 import user_event_pb2

_HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
_TEA, _POT, _CUP, _MUG = "10001", "10002", "10003", "10004A"
_FEBRUARY, _MARCH = "2011-02-01 10:00:00", "2011-03-20 10:00:00"


def _row(invoice: str, code: str, time: str, customer: str, quantity: str = "1", price: str = "2.5") -> list[str]:
    return [invoice, code, f"THING {code}", quantity, time, price, customer, "United Kingdom"]


def _write(folder: Path, rows: list[list[str]], header: list[str] = _HEADER) -> Path:
    (folder / "online_retail").mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "online_retail" / "transactions.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return folder


def _log() -> list[list[str]]:
    rows = []
    # Three customers buy tea with a pot, one a cup alone; in March one buys the same again and one a mug besides.
    for customer in ("11.0", "12.0", "13.0"):
        rows += [_row(f"5{customer[:2]}", code, _FEBRUARY, customer) for code in (_TEA, _POT)]
    rows.append(_row("520", _CUP, _FEBRUARY, "14.0"))
    rows += [_row("530", code, _MARCH, "11.0") for code in (_TEA, _POT)]
    rows += [_row("531", code, _MARCH, "14.0") for code in (_CUP, _MUG)]
    return rows


def test_what_is_no_purchase_of_a_known_customer_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        *_log(),
        _row("C540", _TEA, _MARCH, "11.0", "-1"),
        _row("541", _TEA, _MARCH, "11.0", "-3"),
        _row("542", "POST", _MARCH, "11.0"),
        _row("543", _TEA, _MARCH, ""),
        _row("544", _TEA, _MARCH, "11.0", price="0"),
        _row("530", _TEA, _MARCH, "11.0", "7"),
        _row("550", "10004a", _FEBRUARY, "15.0"),
    ]

    read = read_online_retail(_write(tmp_path, rows))

    assert {note.split(" ", 1)[0] for note in read.notes} == {"1"}
    assert len(read.notes) == 6
    assert len(read.purchases) == len(_log()) + 1
    # Codes in either case are one product.
    assert sorted(product.id for product in read.products) == [_TEA, _POT, _CUP, _MUG]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("Quantity", "many", "line 2, column Quantity: 'many' is not a whole number"),
        ("UnitPrice", "nan", "line 2, column UnitPrice: 'nan' is not a number"),
        ("InvoiceDate", "1.2.2011", "line 2, column InvoiceDate"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(tmp_path: Path, column: str, value: str, said: str) -> None:
    row = _row("530", _TEA, _MARCH, "11.0")
    row[_HEADER.index(column)] = value

    with pytest.raises(InvalidArgument, match=r"transactions\.csv\.gz") as refused:
        read_online_retail(_write(tmp_path, [row]))

    assert said in refused.value.message


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = _write(tmp_path, [_row("530", _TEA, _MARCH, "11.0")[:-1]], _HEADER[:-1])

    with pytest.raises(InvalidArgument, match="no column 'Country'"):
        read_online_retail(folder)


def test_tasks_ask_for_first_baskets_after_the_split() -> None:
    log = interactions(
        visitors=np.array([0, 0, 0, 0, 0, 1, 1]),
        products=np.array([0, 1, 0, 2, 3, 2, 3]),
        times=np.array([1.0, 1.0, 5.0, 5.0, 6.0, 7.0, 7.0]),
        event_types=np.full(7, user_event_pb2.EVENT_TYPE_PURCHASE),
        product_ids=["a", "b", "c", "d"],
    )
    known, after = between(log, 0, 5), between(log, 5, 9)

    assert {visitor: basket.tolist() for visitor, basket in first_baskets(after).items()} == {0: [0, 2], 1: [2, 3]}
    following, together = basket_tasks(known, after, anchors=1)
    # Only visitor 0 is known; what was bought before may be bought again.
    assert [own.tolist() for own in following.relevant] == [[0, 2]]
    assert following.left_out[0].tolist() == []
    assert following.histories[0].seen == {0: 1, 1: 1}
    assert len(together) == 2
    for anchor, others in zip(together.left_out, together.relevant, strict=True):
        assert len(anchor) == len(others) == 1
        assert anchor[0] != others[0]


def test_baselines_have_the_figures_that_follow_by_hand(tmp_path: Path) -> None:
    arguments = ["--dataset", "online_retail", "--data-dir", str(_write(tmp_path, _log())), "--baselines-only"]

    result = CliRunner().invoke(
        app, ["evaluate", "recommendation", *arguments, "--test-days", "20", "--json", str(tmp_path / "now.json")]
    )

    assert result.exit_code == 0, result.output
    tasks = json.loads((tmp_path / "now.json").read_text(encoding="utf-8"))["tasks"]
    basket = {name: own["recall@20"]["value"] for name, own in tasks["next basket"]["figures"].items()}
    # The same again is found whole, of cup and mug the cup; the mug was never sold before.
    assert basket["bought before"] == pytest.approx((1 + 0.5) / 2)
    assert basket["popularity"] == pytest.approx((1 + 0.5) / 2)
    # Tea and pot were bought together; the cup with nothing.
    assert basket["co-occurrence"] == pytest.approx((1 + 0) / 2)
    goes_with = {name: own["recall@10"]["value"] for name, own in tasks["goes with"]["figures"].items()}
    assert tasks["goes with"]["questions"] == 4
    assert goes_with["co-occurrence"] == goes_with["co-purchase"] == pytest.approx(2 / 4)


def test_a_split_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    arguments = ["--dataset", "online_retail", "--data-dir", str(_write(tmp_path, _log())), "--baselines-only"]

    result = CliRunner().invoke(app, ["evaluate", "recommendation", *arguments, "--test-days", "400"])

    assert result.exit_code == 1
    assert "--test-days: is 400" in " ".join(result.output.split())
