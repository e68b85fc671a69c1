"""Mined lists: evidence as served, labels, hard negatives, and what the catalogue alone says."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.rank_depth import RankDepth
from gateway.ranking import RankStage
from tests.training.tiny_shop import write_shop
from training.candidate_mining import MiningSettings, mine_lists
from training.catalogue_labels import correction, made_queries
from training.catalogue_search import open_search
from training.errors import TrainingError
from training.run_folder import RunFolder
from training.served_lists import ListFile, ServedList
from training.shop_files import ShopItem
from training.sources.files import SourceFiles, Sources, open_sources
from vitrine.deadline import Deadline
from vitrine.ports import Lane, ModelInfo, RankCandidate, RankedCandidate, Ranking, best_bm25_of
from vitrine.product import Product, checked_product

SETTINGS = MiningSettings(made_lists=20, depth=16, too_near=1.0)

Mined = tuple[ListFile, RunFolder, SourceFiles, Sources]


class _Recording:
    """A ranker that keeps what it was asked, and finds all alike."""

    def __init__(self) -> None:
        self.asked: list[RankCandidate] = []

    async def rank(
        self,
        query: str,
        candidates: Sequence[RankCandidate],
        *,
        deadline: Deadline,
        top_n: int | None = None,
        lane: Lane = Lane.LIVE,
        model_digest: str = "",
        shown: int | None = None,
    ) -> Ranking:
        self.asked += candidates
        return Ranking(tuple(RankedCandidate(n, one.id, 0.0, 0.0, 0.5) for n, one in enumerate(candidates)), "")

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        raise NotImplementedError


@pytest.fixture(scope="module")
def embedder(make_embedder_bundle: Callable[..., Path]) -> Path:
    return make_embedder_bundle()


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory, embedder: Path) -> Mined:
    folder = tmp_path_factory.mktemp("shop")
    products, judgements = write_shop(folder)
    files = SourceFiles((products,), (), (judgements,))
    run = RunFolder(folder / "run", "test", {})
    sources = open_sources(files, run.path)
    return mine_lists(sources, files, embedder, SETTINGS, run), run, files, sources


def _of(mined: Mined, origin: str) -> list[ServedList]:
    return [served for served in mined[0] if served.origin == origin]


def test_evidence_is_what_the_gateway_gives_the_ranker(mined: Mined, embedder: Path) -> None:
    served = _of(mined, "labels")[0]

    async def asked() -> Sequence[RankCandidate]:
        ranker = _Recording()
        stage = RankStage(ranker, RankDepth(min_time_s=0), timeout_s=60, reserve_s=0)
        async with open_search(embedder, mined[1].path / "catalogue") as search:
            found = await search.find(served.query)
            products = await search.products([candidate.product_id for candidate in found])
            whole = [replace(candidate, product=products[candidate.product_id]) for candidate in found]
            best_bm25 = best_bm25_of(found)
            await stage.order(served.query, whole, best_bm25=best_bm25, asked=16, deadline=Deadline.after(60))
        return ranker.asked

    head = asyncio.run(asked())
    known = {name: row for row, name in enumerate(served.product_ids)}
    assert len(head) == 16
    for place, candidate in enumerate(head, 1):
        row = known[candidate.id]
        assert served.places[row] == place
        assert served.documents[row] == candidate.text
        assert candidate.evidence is not None
        assert (served.dense[row], served.lexical[row]) == (candidate.evidence.dense, candidate.evidence.lexical)
    assert max(served.lexical) == 1.0


def test_labels_keep_their_grades_and_unlabelled_ones_count_less(mined: Mined) -> None:
    lists = _of(mined, "labels")
    assert len(lists) == 30
    for served in lists:
        assert sum(served.labelled) == 12
        for title, labelled, relevance, weight in zip(
            served.documents, served.labelled, served.relevance, served.weights, strict=True
        ):
            if labelled:
                assert (relevance, weight) == (float("watch" in title), 1.0)
            else:
                assert relevance == 0
                assert weight in (0.0, 0.3)


def test_an_unlabelled_product_as_near_as_the_relevant_ones_is_not_learned_from(mined: Mined) -> None:
    seen = set()
    for served in _of(mined, "labels"):
        near = [d for d, relevance in zip(served.dense, served.relevance, strict=True) if relevance > 0]
        limit = sum(near) / len(near)
        for dense, labelled, weight in zip(served.dense, served.labelled, served.weights, strict=True):
            if not labelled:
                assert (weight == 0) == (dense > limit)
                seen.add(weight)
    assert seen == {0.0, 0.3}


def test_a_made_list_prefers_the_product_that_its_query_was_made_from(mined: Mined) -> None:
    lists = _of(mined, "catalogue")
    assert len(lists) > 10
    assert not any(any(served.labelled) for served in lists)
    assert all(max(served.relevance) > 0 for served in lists)


def test_clicks_count_by_what_was_done_and_where_it_stood(tmp_path: Path, embedder: Path) -> None:
    products, _ = write_shop(tmp_path)
    events = tmp_path / "events.jsonl"
    rows: list[dict[str, object]] = []
    for visit in range(24):
        shown = [f"p{(visit + place) % 48:02}" for place in range(6)]
        session = {"session_id": f"s{visit}", "visitor_id": f"v{visit}"}
        rows += [
            {"event_type": "search", "query": "red watch", "product_ids": shown, **session},
            {"event_type": "view", "product_ids": [shown[visit % 3]], **session},
            {"event_type": "purchase", "product_ids": [shown[visit % 3]], **session},
        ]
    for number, row in enumerate(rows):
        row |= {"id": f"e{number}", "event_time": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"}
    events.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = SourceFiles((products,), (events,))
    run = RunFolder(tmp_path / "run", "test", {})
    (served,) = mine_lists(open_sources(files, run.path), files, embedder, MiningSettings(made_lists=0), run)
    known = [
        (relevance, weight)
        for relevance, weight, labelled in zip(served.relevance, served.weights, served.labelled, strict=True)
        if labelled
    ]
    assert len(known) >= 6
    assert max(relevance for relevance, _ in known) == 1.0
    assert len({weight for _, weight in known}) > 1
    assert all(0 < weight <= 1 for _, weight in known)


def test_lists_are_made_once(mined: Mined, embedder: Path) -> None:
    lists, run, files, sources = mined
    before = (run.path / "lists.jsonl").stat()
    again = mine_lists(sources, files, embedder, SETTINGS, run)
    assert (run.path / "lists.jsonl").stat().st_mtime_ns == before.st_mtime_ns
    assert again[len(again) - 1] == lists[len(lists) - 1]


def test_of_a_product_that_comes_twice_the_last_row_counts_and_what_is_there_is_not_embedded_again(
    tmp_path: Path, embedder: Path
) -> None:
    first, last = Product("a", "red phone"), Product("a", "blue watch")
    others = [checked_product(Product(str(number), "red case")) for number in range(300)]

    async def filled() -> tuple[int, str, int, int]:
        async with open_search(embedder, tmp_path) as search:
            count = await search.fill([checked_product(first), *others, checked_product(last)], lambda done: None)
            before = (await search.products(["a"]))["a"]
            await search.fill([*others, checked_product(last)], lambda done: None)
            return count, before.title, before.revision, (await search.products(["a"]))["a"].revision

    count, title, before, after = asyncio.run(filled())
    assert (count, title) == (301, "blue watch")
    assert before == after


def test_a_damaged_list_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lists.jsonl").write_text('{"query": "red"}\n{"que')
    with pytest.raises(TrainingError, match=r"lists\.jsonl is damaged at list 2"):
        ListFile(tmp_path / "lists.jsonl")[1]


LAPTOP = ShopItem("1", "HP Pavilion 15 laptop black", "en", "HP", "Pavilion 15", "laptop", "", {"color": "black"})
OTHER = replace(LAPTOP, id="2", title="Dell XPS 13 laptop black", brand="Dell", model="XPS 13")
BAG = ShopItem("3", "Targus bag for HP laptop", "en", "Targus", "", "laptop bag", "")
WHITE = replace(LAPTOP, id="4", title="HP Pavilion 15 laptop white", attributes={"color": "white"})


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("hp laptop", LAPTOP, BAG),
        ("hp laptop", OTHER, BAG),
        ("hp laptop", LAPTOP, OTHER),
        ("black laptop", OTHER, WHITE),
        ("hp pavilion 15", WHITE, OTHER),
    ],
)
def test_titles_and_attributes_tell_apart_what_is_alike(query: str, better: ShopItem, worse: ShopItem) -> None:
    assert correction(query, LAPTOP, better) > correction(query, LAPTOP, worse)


def test_a_chinese_kind_is_its_titles_last_word() -> None:
    cup = ShopItem("1", "加厚 不锈钢 保温杯", "zh")
    other, lid = replace(cup, id="2", title="儿童 保温杯"), replace(cup, id="3", title="保温杯 盖子")
    assert correction("保温杯", cup, other) > correction("保温杯", cup, lid)


def test_queries_are_drawn_from_the_whole_stream_and_are_the_same_for_one_seed() -> None:
    import random

    items = [replace(LAPTOP, id=str(number), title=f"HP K{number} laptop", model=f"K{number}") for number in range(300)]
    made = made_queries(iter(items), 50, random.Random(5))
    assert made == made_queries(iter(items), 50, random.Random(5))
    assert len(made) > 25
    assert max(int(item.id) for _, item in made) > 200
