"""A whole evaluation with the bundles that ship, on a shop small enough to check by eye."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.evaluate import app
from evaluation.engines import open_engines
from evaluation.icecat import read_icecat
from evaluation.relevance_report import Evaluated, relevance_report
from evaluation.search_orders import ORDERS, search_orders
from vitrine.bundle import load_bundle
from vitrine.errors import FailedPrecondition, Internal
from vitrine.ports import InputType
from vitrine.vectors import FloatArray

EMBEDDER, RANKER = Path("models/embedder"), Path("models/ranker")
EVALUATED = Evaluated(EMBEDDER, RANKER, rank_depth=3)
METRICS = {"judged", "condensed", "full", "recall_50", "recall_200"}


class Stages:
    """Remembers what it was told of the progress."""

    def __init__(self) -> None:
        self.done: dict[str, tuple[int, int]] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        assert (done, total) >= self.done.get(stage, (0, total))
        self.done[stage] = (done, total)


def by_letters(texts: Sequence[str], input_type: InputType) -> FloatArray:
    """A stand-in for e5: the shares of letters in a text."""
    counts = np.array([[text.lower().count(chr(97 + n)) for n in range(26)] + [1] for text in texts], dtype=np.float32)
    unit: FloatArray = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    return unit


async def test_orders_of_the_real_engines(data_dir: Path) -> None:
    shop = read_icecat(data_dir)
    async with open_engines(EMBEDDER, RANKER) as engines:
        await engines.write(shop.products, Stages())
        orders = await search_orders(engines, shop, 3, Stages())
    assert tuple(orders) == ORDERS
    for name, queries in orders.items():
        assert set(queries) == set(shop.grades)
        for query, order in queries.items():
            assert sorted(order.judged) == sorted(shop.grades[query]), f"{name}: each judged product once"
            assert len(set(order.full)) == len(order.full)
    assert set(orders["lexical"]["laptop"].full) == {"3", "4"}, "what shares no word is not found by words"
    assert len(orders["dense"]["laptop"].full) == 6
    assert set(orders["dense"]["headphones"].full[:2]) == {"1", "2"}
    assert sorted(orders["ranked"]["toner"].full[:3]) == sorted(orders["fused"]["toner"].full[:3])
    assert orders["ranked"]["toner"].full[3:] == orders["fused"]["toner"].full[3:]
    assert orders["lexical"]["headphones"].judged[2] == "6"


async def test_report_with_baselines(data_dir: Path, tmp_path: Path) -> None:
    stages = Stages()
    report = await relevance_report("icecat", data_dir, EVALUATED, stages, e5=by_letters)
    assert list(report.figures) == [*ORDERS, "bm25", "e5"]
    assert all(set(figures) == METRICS for figures in report.figures.values())
    assert report.made_of == {
        "embedder": load_bundle(EMBEDDER, "embedder").manifest.digest,
        "ranker": load_bundle(RANKER, "ranker").manifest.digest,
        "rank_depth": 3,
    }
    assert all(done == total for done, total in stages.done.values())
    assert report.published["bm25"]["judged"] == 0.802
    report.write(tmp_path / "new folder" / "report.json")
    written = json.loads((tmp_path / "new folder" / "report.json").read_text(encoding="utf-8"))
    assert written["figures"]["bm25"]["judged"]["value"] == report.figures["bm25"]["judged"].value
    assert written["by_query"]["dense"]["full"].keys() == {"headphones", "laptop", "toner"}


async def test_report_of_pairs(data_dir: Path) -> None:
    report = await relevance_report("zh", data_dir, EVALUATED, Stages(), e5=by_letters)
    assert list(report.figures) == ["dense", "logit", "ranked", "e5"]
    assert report.figures["dense"]["auc one"].count == 3
    assert report.figures["dense"]["auc two"].value == 1.0


async def test_a_refused_product_stops_the_evaluation(data_dir: Path) -> None:
    shop = read_icecat(data_dir)
    async with open_engines(EMBEDDER, RANKER) as engines:
        broken = [*shop.products[:2], shop.products[2].__class__(id="bad", title="")]
        with pytest.raises(Internal, match="product bad was refused"):
            await engines.write(tuple(broken), Stages())


async def test_a_bundle_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="for the embedder"):
        async with open_engines(EMBEDDER, EMBEDDER):
            pass


def test_command(data_dir: Path, tmp_path: Path) -> None:
    arguments = ["relevance", "--dataset", "icecat", "--data-dir", str(data_dir), "--rank-depth", "3"]
    result = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in ORDERS)
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["dataset"] == "icecat"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (["--data-dir", "nowhere"], "--data-dir names the folder"),
        (["--dataset", "wands"], "choose from icecat, zh"),
        (["--ranker", "models/embedder"], "for the embedder"),
    ],
)
def test_command_says_in_one_line_what_is_wrong(data_dir: Path, change: list[str], fault: str) -> None:
    result = CliRunner().invoke(app, ["relevance", "--dataset", "icecat", "--data-dir", str(data_dir), *change])
    assert result.exit_code == 2
    assert fault in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
