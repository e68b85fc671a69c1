"""A merchant's rules: read from a file, followed when it changes, and seen in what is found."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.retriever.rule_book import RuleBook
from services.retriever.rules import NO_RULING, Rules, Ruling, read_rules
from vitrine.errors import FailedPrecondition
from vitrine.ports import Candidate, Retriever
from vitrine.product import Product

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

FILE = """
[[synonyms]]
same = ["Laptop", "notebook computer", "笔记本电脑"]

[[synonyms]]
word = "phone"
also = ["smartphone"]

[[rules]]
queries = ["running shoes", "跑步鞋"]
pins = ["p5", "p2", "gone"]
blocks = ["p1"]

[[rules]]
queries = ["shoes"]
match = "part"
blocks_where = 'brand = "Zeta"'

[[rules]]
queries = ["black friday"]
starts = 2026-11-20
ends = 2026-11-30T00:00:00+08:00
pins = ["p3"]
"""


def written(path: Path, text: str) -> Path:
    file = path / "rules.toml"
    # Another file and not the same rewritten: its time alone may not tell them apart.
    scratch = path / "scratch.toml"
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(file)
    return file


def read(path: Path, text: str) -> Rules:
    return read_rules(written(path, text))


def ruling(rules: Rules, query: str, now: datetime = NOW) -> tuple[tuple[str, ...], set[str], int]:
    found = rules.ruling(query, now)
    return found.pins, set(found.blocks), len(found.conditions)


def test_synonyms_go_both_ways_or_one_whatever_the_endings(tmp_path: Path) -> None:
    synonyms = read(tmp_path, FILE).synonyms
    assert synonyms.of("laptops") == ("notebook computer", "笔记本电脑")
    assert synonyms.of("notebook computers") == ("laptop", "笔记本电脑")
    assert synonyms.of("筆記本電腦") == ("laptop", "notebook computer")
    assert synonyms.of("phones") == ("smartphone",)
    assert synonyms.of("smartphone") == ()
    assert synonyms.longest == 2


def test_a_rule_holds_for_whole_queries_or_for_part_of_them(tmp_path: Path) -> None:
    rules = read(tmp_path, FILE)
    assert ruling(rules, "Running  SHOE") == (("p5", "p2", "gone"), {"p1"}, 1)
    assert ruling(rules, "跑步鞋") == (("p5", "p2", "gone"), {"p1"}, 0)
    assert ruling(rules, "red running shoes") == ((), set(), 1)
    assert ruling(rules, "hats") == ruling(rules, "") == ((), set(), 0)
    assert rules.ruling("hats", NOW) is NO_RULING


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (datetime(2026, 11, 19, 23, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 20, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 15, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 16, tzinfo=UTC), False),
    ],
)
def test_a_rule_holds_from_its_start_until_its_end(tmp_path: Path, now: datetime, holds: bool) -> None:
    assert ruling(read(tmp_path, FILE), "black friday", now)[0] == (("p3",) if holds else ())


def test_of_rules_that_disagree_the_earlier_one_has_its_way(tmp_path: Path) -> None:
    text = '[[rules]]\nqueries = ["a1"]\npins = ["x"]\n[[rules]]\nqueries = ["a1"]\npins = ["y"]\nblocks = ["x", "z"]\n'
    assert ruling(read(tmp_path, text), "a1") == (("x", "y"), {"z"}, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("synonyms = 1", "synonyms"),
        ("[[synonym]]\nsame = ['a', 'b']", "synonym: is not known; known here: synonyms, rules"),
        ("[[synonyms]]\nsame = ['a']", r"synonyms\[0\]: same holds one phrase"),
        ("[[synonyms]]\nword = 'a'", r"synonyms\[0\]: give same"),
        ("[[synonyms]]\nsame = ['a', '!!']", r"synonyms\[0\].same\[1\]: has no word"),
        ("[[rules]]\nqueries = ['a']", r"rules\[0\]: does nothing"),
        ("[[rules]]\nqueries = []\npins = ['x']", r"rules\[0\].queries"),
        ("[[rules]]\nqueries = ['a']\npins = ['x']\nblocks = ['x']", r"rules\[0\]: pins and blocks both name x"),
        ("[[rules]]\nqueries = ['a']\npins = ['x', 'x']", r"rules\[0\]: pins names a product twice"),
        ("[[rules]]\nqueries = ['a']\npin = ['x']", r"rules\[0\].pin: is not known; known here: queries"),
        ("[[rules]]\nqueries = ['a']\nblocks_where = 'brand ='", r"rules\[0\]: blocks_where"),
        ("[[rules]]\nqueries = ['a']\npins = ['x']\nstarts = 2026-11-20T00:00:00", r"rules\[0\].starts: has no offset"),
        ("[[rules]]\nqueries = ['a']\npins = ['x']\nends = '2026-11-20'", r"rules\[0\].ends: is not a date"),
        (
            "[[rules]]\nqueries = ['a']\npins = ['x']\nstarts = 2026-11-20\nends = 2026-11-20",
            r"rules\[0\]: ends is not",
        ),
        ("not toml", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FailedPrecondition, match=rf"rules\.toml.*{said}"):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="cannot be read"):
        RuleBook(tmp_path / "rules.toml")


def test_a_changed_file_is_followed_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    book = RuleBook(written(tmp_path, FILE))
    first = book.current()
    assert book.current() is first
    written(tmp_path, "[[rules]]")
    assert book.current() is first
    assert book.fault is not None
    assert "those before hold" in book.fault
    assert "rules[0].queries" in book.fault
    path = written(tmp_path, '[[rules]]\nqueries = ["a1"]\npins = ["x"]')
    assert ruling(book.current(), "a1")[0] == ("x",)
    assert book.fault is None
    path.unlink()
    assert ruling(book.current(), "a1")[0] == ("x",)
    assert book.fault is not None


def test_without_a_file_there_are_no_rules() -> None:
    book = RuleBook(None)
    assert book.current().ruling("a", NOW) == Ruling()
    assert book.fault is None


PRODUCTS = [
    Product(f"p{number}", title, brand=brand)
    for number, (title, brand) in enumerate(
        [
            ("Running shoes red", "Acme"),
            ("Running shoes blue", "Acme"),
            ("Running shoes green", "Acme"),
            ("Party hat", "Acme"),
            ("Running shoes gold", "Zeta"),
            ("Laptop sleeve", "Acme"),
            ("笔记本电脑", "Acme"),
        ]
    )
]


@pytest.fixture(params=["engine", "client", "milvus"])
async def retriever(
    request: pytest.FixtureRequest, open_engine: Any, serve_engine: Any, shop: Any, tmp_path: Path
) -> Retriever:
    backend = "milvus" if request.param == "milvus" else "faiss"
    engine = await open_engine(rules=written(tmp_path, FILE), backend=backend)
    await shop.fill(engine, PRODUCTS, shop.vectors(len(PRODUCTS)))
    retriever: Retriever = await serve_engine(engine) if request.param == "client" else engine
    return retriever


def pins(candidates: tuple[Candidate, ...]) -> dict[str, int]:
    return {one.product_id: source.rank for one in candidates for source in one.sources if source.source == "pin"}


async def test_pins_come_first_and_blocks_are_left_out_by_words_and_by_vector(retriever: Retriever, shop: Any) -> None:
    for search in ({}, {"vector": shop.vectors(len(PRODUCTS))[1]}):
        found = await shop.search(retriever, text="running shoes", with_pins=True, with_total_size=True, **search)
        ids = [one.product_id for one in found.candidates]
        assert ids[:3] == ["p5", "p2", "p0"]
        assert not {"p1", "p4"} & set(ids)
        assert len(set(ids)) == len(ids) == found.total_size
        assert pins(found.candidates) == {"p5": 1, "p2": 2}
        # What else found a pinned product is told too.
        assert "lexical" in [one.source for one in found.candidates[1].sources]
        assert all(one.product is not None for one in found.candidates)


async def test_pins_meet_the_filter_and_come_only_where_asked_for(retriever: Retriever, shop: Any) -> None:
    unasked = await shop.search(retriever, text="running shoes")
    assert (pins(unasked.candidates), unasked.candidates[0].product_id) == ({}, "p0")
    ids = shop.filter(product_ids=("p0", "p2"))
    allowed = await shop.search(retriever, text="running shoes", with_pins=True, filter=ids)
    assert [one.product_id for one in allowed.candidates] == ["p2", "p0"]
    cut = await shop.search(retriever, text="running shoes", with_pins=True, depth=1)
    assert [one.product_id for one in cut.candidates] == ["p5"]
    other = await shop.search(retriever, text="red shoes", with_pins=True)
    assert other.candidates[0].product_id == "p0"
    assert pins(other.candidates) == {}


async def test_whoever_ranks_has_as_many_products_beside_the_pinned(retriever: Retriever, shop: Any) -> None:
    found = await shop.search(retriever, text="running shoes", with_pins=True, product_limit=1)
    assert [one.product is not None for one in found.candidates][:3] == [True, True, True]


async def test_synonyms_find_what_says_it_otherwise_and_are_told(retriever: Retriever, shop: Any) -> None:
    found = await shop.search(retriever, text="laptops")
    assert {one.product_id for one in found.candidates} == {"p5", "p6"}
    assert [(one.word, one.read_as, one.why) for one in found.reading.words] == [
        ("laptops", ("notebook computer", "笔记本电脑"), "synonym")
    ]


async def test_a_file_that_became_wrong_is_an_alert_and_the_rules_before_hold(
    open_engine: Any, shop: Any, tmp_path: Path
) -> None:
    engine = await open_engine(rules=written(tmp_path, FILE))
    await shop.fill(engine, PRODUCTS, shop.vectors(len(PRODUCTS)))
    written(tmp_path, "rules = 7")
    assert (await shop.found(engine, text="running shoes", with_pins=True))[0] == "p5"
    [alert] = (await engine.get_index(deadline=shop.deadline())).alerts
    assert "rules.toml: rules" in alert
    written(tmp_path, FILE.replace('"p5", ', ""))
    assert (await shop.found(engine, text="running shoes", with_pins=True))[0] == "p2"
    assert (await engine.get_index(deadline=shop.deadline())).alerts == ()


async def test_a_wrong_file_ends_the_start(open_engine: Any, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="rules"):
        await open_engine(rules=written(tmp_path, "rules = 7"))
