"""A whole evaluation with the bundles that ship, on a shop small enough to check by eye."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from evaluation.datasets import read_dataset
from evaluation.engines import Engines, open_engines
from evaluation.icecat import read_icecat
from evaluation.relevance_evaluation import Evaluated, evaluate_relevance
from evaluation.result import RelevanceResult, read_result
from evaluation.search_orders import ORDERS, search_orders
from vitrine.bundle import load_bundle
from vitrine.errors import FailedPrecondition, Internal
from vitrine.ports import InputType
from vitrine.product import Product
from vitrine.vectors import FloatArray

EMBEDDER, RANKER = Path("models/embedder"), Path("models/ranker")
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


@pytest.fixture(scope="module")
async def engines() -> AsyncIterator[Engines]:
    async with open_engines(EMBEDDER, RANKER) as opened:
        yield opened


async def test_orders_of_the_real_engines(engines: Engines, data_dir: Path) -> None:
    shop = read_icecat(data_dir)
    await engines.write(shop.products, Stages())
    found = await search_orders(engines, shop, 3, Stages())
    orders = found.orders
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
    for query, order in orders["ranked"].items():
        probabilities = [found.probabilities[query][product_id] for product_id in order.judged]
        assert len(probabilities) == len(shop.grades[query])
        assert probabilities == sorted(probabilities, reverse=True), "a larger score is a larger probability"


async def test_result_with_baselines(data_dir: Path, tmp_path: Path) -> None:
    stages = Stages()
    evaluated = Evaluated(EMBEDDER, RANKER, 3, keep_vectors=tmp_path / "kept", baselines={"e5": by_letters})
    result = await evaluate_relevance("icecat", read_dataset("icecat", data_dir), evaluated, stages)
    assert list(result.figures) == [*ORDERS, "bm25", "e5", "rrf bm25 e5"]
    assert all(set(figures) == METRICS for figures in result.figures.values())
    assert result.made_of == {
        "embedder": load_bundle(EMBEDDER, "embedder").manifest.digest,
        "ranker": load_bundle(RANKER, "ranker").manifest.digest,
        "rank_depth": 3,
    }
    assert all(done == total for done, total in stages.done.values())
    assert result.published["bm25"]["judged"] == 0.802
    assert result.by_query["dense"]["full"].keys() == {"headphones", "laptop", "toner"}
    result.write(tmp_path / "new folder" / "result.json")
    assert read_result(tmp_path / "new folder" / "result.json") == result
    # The same again, from the vectors that were kept.
    again = Stages()
    repeated = await evaluate_relevance("icecat", read_dataset("icecat", data_dir), evaluated, again)
    assert repeated == result
    assert "embed products" in stages.done
    assert "embed products" not in again.done


def test_what_the_result_holds_of_a_shop(own_result: RelevanceResult) -> None:
    assert (own_result.dataset, own_result.kind, own_result.relevant_grade) == ("my <shop>", "shop", 2)
    assert {query.language for query in own_result.queries.values()} == {"en", "zh"}
    assert "how often a query is asked" in own_result.band_rule
    assert own_result.queries["red shoes"].band == "head"
    assert own_result.popularity is not None
    assert own_result.popularity.recall_50["head"]["dense"]["red shoes"] == 1.0
    red = own_result.queries["red shoes"]
    assert red.grades == {"1": 3, "2": 2, "3": 0, "6": 0}
    for order in ORDERS:
        assert sorted(red.judged[order]) == ["1", "2", "3", "6"]
        assert set(red.full[order]) <= own_result.titles.keys()
    pairs = {(pair.query, pair.product): pair for pair in own_result.pairs}
    assert len(pairs) == sum(len(query.grades) for query in own_result.queries.values())
    assert pairs["red shoes", "1"].relevant
    assert not pairs["红鞋", "1"].relevant
    assert all(0 < pair.probability < 1 for pair in own_result.pairs)


async def test_result_of_pairs(data_dir: Path, tmp_path: Path) -> None:
    evaluated = Evaluated(EMBEDDER, RANKER, 3, baselines={"e5": by_letters})
    result = await evaluate_relevance("zh", read_dataset("zh", data_dir), evaluated, Stages())
    assert list(result.figures) == ["dense", "logit", "ranked", "e5"]
    assert result.figures["dense"]["auc one"].count == 3
    assert result.figures["dense"]["auc two"].value == 1.0
    assert [pair.relevant for pair in result.pairs] == [True, False, True, True, False]
    assert all(pair.scores.keys() == result.figures.keys() for pair in result.pairs)
    result.write(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == result


@pytest.mark.parametrize("broken", [Product(id="bad", title=""), Product(id="bad", title="Good", currency_code="euro")])
async def test_a_refused_product_stops_the_evaluation(engines: Engines, broken: Product) -> None:
    with pytest.raises(Internal, match="product bad was refused"):
        await engines.write((Product(id="1", title="Good"), broken), Stages())


async def test_a_bundle_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="for the embedder"):
        async with open_engines(EMBEDDER, EMBEDDER):
            pass
