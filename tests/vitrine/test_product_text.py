"""What the models read of a product."""

from vitrine.product import Product, ProductKind
from vitrine.product_text import RANKING_DESCRIPTION_CHARACTERS, embedding_text, ranking_text


def test_brand_is_added_only_where_the_title_lacks_it() -> None:
    assert embedding_text(Product("1", "Galaxy Tab", brand="Samsung")) == "samsung galaxy tab"
    assert ranking_text(Product("1", "SAMSUNG Galaxy Tab", brand="Samsung")) == "samsung galaxy tab"


def test_the_description_begins_after_the_title_and_is_cut_at_a_word() -> None:
    product = Product("1", "Mouse", description="A quiet wireless mouse " + "for small hands " * 10)
    text = embedding_text(product)
    assert text.startswith("mouse a quiet wireless mouse for")
    assert len(text) <= len("mouse ") + 80
    assert text.split(" ")[-1] in ("for", "small", "hands")
    assert len(ranking_text(product)) < len(text)


def test_han_characters_take_two_columns() -> None:
    text = ranking_text(Product("1", "红" * 80, description="蓝" * 80))
    assert text == "红" * 50 + " " + "蓝" * 30


def test_an_empty_description_adds_nothing() -> None:
    assert embedding_text(Product("1", "手机壳 ")) == "手机壳"


def test_the_ranking_text_needs_no_more_than_a_descriptions_beginning() -> None:
    """What goes with every candidate gives the same text as the whole."""
    whole = Product("1", "Watch", description=" \n " * 60 + "water resistant " * 100)
    beginning = Product("1", "Watch", description=whole.description[:RANKING_DESCRIPTION_CHARACTERS])
    assert ranking_text(whole) == ranking_text(beginning) == "watch water resistant wate"


def test_a_review_is_read_by_what_it_says() -> None:
    review = Product("1", "", description="Soft and warm. " * 20, kind=ProductKind.REVIEW, rating=5.0)
    text = embedding_text(review)
    assert text.startswith("soft and warm. soft")
    assert 200 < len(text) <= 240
