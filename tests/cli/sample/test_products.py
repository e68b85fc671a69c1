"""The sample shop's products."""

import re

from cli.sample.products import Shop
from vitrine.product import checked_product


def test_every_product_is_one_that_the_catalogue_takes_as_it_is() -> None:
    shop = Shop(600, seed=3)
    for index in range(600):
        product = shop.product(index)
        assert checked_product(product) == product


def test_a_shop_grows_without_changing_what_it_had() -> None:
    small, large = Shop(50, seed=4), Shop(100_000, seed=4)
    assert [small.product(index) for index in range(50)] == [large.product(index) for index in range(50)]


def test_another_seed_is_another_shop() -> None:
    assert {Shop(50, seed=1).product(index).title for index in range(50)}.isdisjoint(
        {Shop(50, seed=2).product(index).title for index in range(50)}
    )


def test_the_shop_is_bilingual_and_has_what_the_quickstart_asks_for() -> None:
    shop = Shop(2_000, seed=1)
    products = [shop.product(index) for index in range(2_000)]
    assert 900 < sum(product.language == "zh" for product in products) < 1_100
    assert sum("智能手表" in product.title for product in products if product.language == "zh") >= 10
    assert sum("smart watch" in product.title for product in products) >= 10
    assert len({product.categories[0] for product in products}) > 150  # about a hundred types, in two languages
    assert len({product.title for product in products}) > 1_900
    assert {product.currency_code for product in products if product.language == "zh"} == {"CNY"}
    assert {product.currency_code for product in products if product.language == "en"} == {"EUR", "USD"}


def test_accessories_name_a_product_that_the_shop_sells() -> None:
    shop = Shop(2_000, seed=1)
    facts = [shop.facts(index) for index in range(2_000)]
    sold = {(f.type.key, f.brand.en, f.model) for f in facts}
    accessories = [f for f in facts if f.host is not None]
    assert len(accessories) > 50
    for accessory in accessories:
        assert accessory.host is not None
        assert (accessory.host.type.key, accessory.host.brand.en, accessory.host.model) in sold
        assert accessory.host.type.key == accessory.type.host


def test_counts_and_places_of_a_type_agree_with_its_products() -> None:
    shop = Shop(500, seed=9)
    for kind in shop.types.values():
        indexes = [shop.index_of(kind, number) for number in range(shop.count(kind))]
        assert indexes == [index for index in range(500) if shop.facts(index).type is kind]
        assert all(shop.facts(index).language == shop.language_of(index) for index in indexes)


def test_titles_say_the_facts() -> None:
    shop = Shop(300, seed=5)
    for index in range(300):
        facts, product = shop.facts(index), shop.product(index)
        assert product.title.startswith(facts.brand.said(facts.language))
        assert facts.model in product.title
        for _, said in facts.said_values(facts.language):
            assert said in product.title
        assert any(name in product.title for name in facts.type.synonyms(facts.language))
        assert bool(re.search("[一-鿿]", product.title)) == (facts.language == "zh")
