"""Pairs made from a catalogue name what the product is, in both languages, and know what answers them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.sources.shop import write_lines
from training.label_free_pairs import LabelFreePair, label_free_pairs, lexicon_pairs
from training.product_facts import Wanted, product_facts, translated
from training.shop_files import ShopItem
from training.sources.catalogue import Catalogue
from training.sources.files import SourceFiles, open_sources

_PRODUCTS: tuple[dict[str, Any], ...] = (
    {
        "id": "laptop",
        "title": 'HP Pavilion dv7 notebook silver 17"',
        "brand": "HP",
        "attributes": {"product_type": ["notebook"], "color": ["silver"], "model": ["Pavilion dv7"]},
    },
    {"id": "bag", "title": "Targus Laptop bag for notebook, black", "brand": "Targus"},
    {
        "id": "pan",
        "title": "栖木 炒锅 带盖 24厘米 铸铁",
        "brand": "栖木",
        "attributes": {"product_type": ["炒锅"], "材质": ["铸铁"]},
    },
    {"id": "k-en", "title": "Acme red headphones", "attributes": {"product_type": ["headphones"]}},
    {"id": "k-zh", "title": "极星 红色 耳机", "attributes": {"product_type": ["耳机"]}},
)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    sources = open_sources(SourceFiles((write_lines(tmp_path / "products.jsonl", _PRODUCTS),)), tmp_path / "run")
    yield sources.catalogue
    sources.close()


def _queries(pairs: list[LabelFreePair], product_id: str) -> set[str]:
    return {one.pair.query for one in pairs if one.pair.product_id == product_id}


def test_queries_name_kind_brand_model_values_and_words_of_the_title(catalogue: Catalogue) -> None:
    pairs = list(label_free_pairs(catalogue, 1_500, 1))
    laptop, pan = _queries(pairs, "laptop"), _queries(pairs, "pan")
    assert {"notebook", "hp notebook", "silver notebook", "pavilion dv7", "dv7", "hp dv7"} <= laptop
    forms = ("17 inch", "17-inch", "17寸", "17英寸", "17 寸", '17"')
    assert sum(any(form in query for query in laptop) for form in forms) >= 3
    assert {"炒锅", "铸铁炒锅", "铸铁 炒锅", "栖木炒锅"} <= pan
    assert any("24cm" in query or "24 cm" in query for query in pan)
    assert all(2 <= len(query) <= 60 and query == query.lower() for query in laptop | pan)


def test_queries_of_the_other_language_come_from_twins_and_from_the_lexicon(catalogue: Catalogue) -> None:
    pairs = list(label_free_pairs(catalogue, 1_500, 1))
    assert "耳机" in _queries(pairs, "k-en")
    assert "headphones" in _queries(pairs, "k-zh")
    assert translated("notebook", "en") in _queries(pairs, "laptop")
    assert translated("notebook", "en") != ""


def test_the_same_seed_gives_the_same_pairs_and_products_can_be_chosen(catalogue: Catalogue) -> None:
    assert list(label_free_pairs(catalogue, 50, 3)) == list(label_free_pairs(catalogue, 50, 3))
    chosen = label_free_pairs(catalogue, 100, 3, lambda product_id: product_id == "pan")
    assert {one.pair.product_id for one in chosen} == {"pan"}


def test_a_query_knows_what_answers_it_and_what_only_mentions_it() -> None:
    laptop = product_facts(ShopItem("1", "HP Pavilion notebook silver", "en", "HP", kind="notebook"))
    black = product_facts(ShopItem("2", "Dell Latitude notebook black", "en", "Dell", kind="notebook"))
    bag = product_facts(ShopItem("3", "Targus notebook bag", "en", "Targus"))
    wanted = Wanted(frozenset({"notebook"}), ("silver",))
    assert [wanted.answered_by(facts) for facts in (laptop, black, bag)] == [True, False, False]
    assert [wanted.only_mentioned_by(facts) for facts in (laptop, black, bag)] == [False, False, True]
    assert not Wanted().is_known


def test_words_after_a_comma_are_no_part_of_the_name() -> None:
    facts = product_facts(ShopItem("1", "Therand mattress, pocket spring, firm", "en", "Therand"))
    assert (facts.head, facts.heads) == ("mattress", frozenset({"mattress"}))


@pytest.mark.parametrize(
    ("word", "language", "other"),
    [
        ("phone case", "en", "手机壳"),
        ("手机壳", "zh", "phone case"),
        ("xyzzy", "en", ""),
        ("运动手机壳", "zh", "phone case"),
    ],
)
def test_the_lexicon_translates_by_the_last_words(word: str, language: str, other: str) -> None:
    assert translated(word, language) == other


def test_lexicon_pairs_speak_both_languages_and_have_a_near_miss() -> None:
    pairs = list(lexicon_pairs(200, 1))
    across = [pair for pair in pairs if pair.query.isascii() != pair.document.isascii()]
    assert 20 < len(across) < 120
    assert all(len(pair.negatives) == 1 and pair.label == 1.0 for pair in pairs)
