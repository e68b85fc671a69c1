"""Queries, pairs and lists made without labels say what they should."""

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from training import shop_lexicon
from training.contrast_pairs import catalogue_pairs, made_pairs, near_miss
from training.distil_texts import served_texts
from training.e5_weights import Floats
from training.lexical_evidence import lexical_scores
from training.ranker_lists import LIST_SIZE, Catalogue, catalogue_lists, made_lists
from training.shop_files import ShopItem
from training.shop_lexicon import MadeProduct, product_types
from training.shop_queries import head_noun, is_accessory, item_queries, made_for, with_other_unit, with_typo


def _item(number: int, title: str, brand: str = "HP", model: str = "") -> ShopItem:
    return ShopItem(str(number), title, "en", brand, model, attributes={"colour": "Silver"})


_ITEMS = [
    _item(0, 'HP Pavilion dv7 Notebook Silver 43.2 cm (17")', model="Pavilion dv7"),
    _item(1, 'HP Essential notebook case 39.6 cm (15.6") Messenger case Black', model="Essential"),
    _item(2, "Xerox 006R90321 toner cartridge Original Black", brand="Xerox", model="006R90321"),
    _item(3, "Targus Sleeve for HP notebook", brand="Targus", model="Sleeve"),
]


@pytest.mark.parametrize(("row", "head"), [(0, "notebook"), (1, "notebook case"), (2, "toner cartridge")])
def test_head_noun_is_what_the_product_is(row: int, head: str) -> None:
    assert head_noun(_ITEMS[row]) == head


def test_accessories_say_for() -> None:
    assert [is_accessory(item) for item in _ITEMS] == [False, False, False, True]


def test_queries_are_short_normalised_and_repeat_with_the_seed() -> None:
    made = [item_queries(item, random.Random(3), 5) for item in _ITEMS]
    assert made == [item_queries(item, random.Random(3), 5) for item in _ITEMS]
    assert all(query == query.lower() and 1 < len(query) <= 60 for queries in made for query in queries)


def test_typos_and_units() -> None:
    assert with_typo("keyboard", random.Random(1)) != "keyboard"
    assert with_typo("hp 15", random.Random(1)) == "hp 15"
    forms = {with_other_unit('laptop 17"', random.Random(seed)) for seed in range(30)}
    assert {"laptop 17 inch", "laptop 17寸"} <= forms
    assert {with_other_unit("500gb disk", random.Random(seed)) for seed in range(30)} >= {"500 gb disk", "500g disk"}


def test_made_products_speak_both_languages() -> None:
    rng = random.Random(5)
    for _ in range(50):
        product = shop_lexicon.make_product(rng)
        for language, names in (("zh", product.type.chinese), ("en", product.type.english)):
            title = shop_lexicon.title(product, language, rng)
            assert any(name in title for name in names)
        query, named, _ = shop_lexicon.query(product, "zh", rng)
        assert any(name in query for name in product.type.chinese)
        assert all(term.chinese in query for term in named)


def test_an_accessory_is_a_near_miss_of_its_host() -> None:
    phone = next(kind for kind in product_types() if "smartphone" in kind.english)
    wrong = {near_miss(MadeProduct(phone, None, ()), (), False, random.Random(seed)).type for seed in range(40)}
    assert any(kind.host in phone.chinese for kind in wrong if kind.host)
    assert phone not in wrong


def test_a_swapped_attribute_is_a_near_miss() -> None:
    dress = next(kind for kind in product_types() if "dress" in kind.english)
    red = next(term for term in shop_lexicon.attribute_terms() if term.english == "red")
    misses = [near_miss(MadeProduct(dress, None, (red,)), (red,), False, random.Random(seed)) for seed in range(30)]
    assert any(miss.type == dress and red not in miss.attributes for miss in misses)


def test_pairs_have_a_negative_that_is_another_product() -> None:
    pairs = made_pairs(random.Random(2), 200) + catalogue_pairs(_ITEMS * 3, random.Random(2), 8)
    assert sum(pair.negative == pair.document for pair in pairs) <= 10
    assert all(pair.query and pair.document and pair.group for pair in pairs)


def test_made_lists_put_the_product_first() -> None:
    for ranked in made_lists(random.Random(4), 100):
        assert len(ranked.documents) == len(ranked.relevance) == LIST_SIZE
        assert ranked.relevance[0] == 1.0 == max(ranked.relevance)


def test_catalogue_lists_prefer_the_head_noun_to_its_accessory() -> None:
    rng = np.random.default_rng(0)
    items = _ITEMS + [_item(10 + n, f"Item {n} cable") for n in range(500)]
    vectors = rng.normal(size=(len(items), 8)).astype(np.float32)
    vectors[:4] = vectors[0]  # the teachers see no difference
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ranked = catalogue_lists(Catalogue(items, vectors * 0.8), [("hp notebook", 0)], vectors[:1], random.Random(1))[0]
    scores = dict(zip(ranked.documents, ranked.relevance, strict=True))
    own = scores['hp pavilion dv7 notebook silver 43.2 cm (17")']
    assert own == max(scores.values())
    assert all(score < own for title, score in scores.items() if "case" in title or " for " in title)


def test_a_reader_judges_in_place_of_the_vectors() -> None:
    items = _ITEMS + [_item(10 + n, f"Item {n} cable") for n in range(60)]
    vectors = np.ones((len(items), 4), dtype=np.float32) / 2
    read: list[tuple[str, ...]] = []

    def reader(query: str, products: Sequence[str]) -> Floats:
        read.append(tuple(products))
        return np.array([0.8 if "cable" in product else 0.1 for product in products], dtype=np.float32)

    ranked = catalogue_lists(Catalogue(items, vectors), [("item", 0)], vectors[:1], random.Random(1), reader)[0]
    assert read == [ranked.documents]
    assert {score for text, score in zip(ranked.documents, ranked.relevance, strict=True) if "cable" in text} == {1.0}


def test_lexical_scores_are_relative_to_the_best() -> None:
    scores = lexical_scores("红色 手机", ["红色手机", "手机壳", "连衣裙"])
    assert scores.tolist() == [1.0, 0.5, 0.0]
    assert lexical_scores("abc", ["xyz"]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("query", "title", "made"),
    [
        ("laptop", "bag for laptop 15 inch", True),
        ("laptop", "hp laptop for students", False),
        ("bag", "bag for laptop 15 inch", False),
        ("bag for laptop", "bag for laptop 15 inch", False),
        ("laptop", "laptop sleeve for laptop", False),
        ("printer", "ink cartridge compatible with hp printer", True),
    ],
)
def test_made_for_is_what_serves_the_thing_asked(query: str, title: str, made: bool) -> None:
    assert made_for(query, title) is made


def test_served_texts_are_titles_with_descriptions(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "title": f"lamp {n}", "name": "", "supplier": "acme", "short_description": "warm"}
        for n in range(4)
    ]
    for shop, name in (("icecat", "products"), ("vespa_products", "products")):
        (tmp_path / shop).mkdir()
        with gzip.open(tmp_path / shop / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            for row in rows if shop == "icecat" else [{**row, "description": "bright", "category": []} for row in rows]:
                file.write(json.dumps(row) + "\n")
    texts = served_texts(tmp_path, 3, 2, seed=1)
    assert texts == served_texts(tmp_path, 3, 2, seed=1)
    assert len(texts) == 5
    assert all(not text.is_query for text in texts)
    assert sum(text.text.endswith("warm") for text in texts) == 3
