"""The BM25 baseline on a shop that can be ordered by eye."""

from pathlib import Path

from evaluation.bm25 import bm25_orders
from evaluation.icecat import read_icecat


def test_orders(data_dir: Path) -> None:
    orders = bm25_orders(read_icecat(data_dir))
    assert set(orders["laptop"].full[:2]) == {"3", "4"}
    assert orders["laptop"].judged[0] == "4", "the shorter title wins"
    assert orders["toner"].full[0] == "5"
    assert len(orders["toner"].full) == 6
