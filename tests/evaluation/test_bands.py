"""Head, torso and tail, each by its rule."""

from evaluation.bands import matching_products, product_bands, query_bands
from evaluation.judged_data import judged_shop
from vitrine.product import Product

PRODUCTS = (
    Product(id="1", title="Red shoes", brand="Acme"),
    Product(id="2", title="Blue shoe", attributes={"colour": ("red",)}),
    Product(id="3", title="红色 运动鞋"),
    Product(id="4", title="Lamp", description="with a red shade"),
)
GRADES = {"shoes": {"1": 2, "2": 1}, "red shoes": {"1": 2}, "acme red shoes": {"1": 3}, "运动鞋": {"3": 2}}


def test_matching_products_hold_every_word_in_any_field_and_form() -> None:
    counts = matching_products(PRODUCTS, [*GRADES, "red", "the", "green"])
    assert counts == {"shoes": 2, "red shoes": 2, "acme red shoes": 1, "运动鞋": 1, "red": 3, "the": 0, "green": 0}


def test_without_traffic_bands_are_thirds_by_matches_and_equal_numbers_stay_together() -> None:
    grades = {"red": {"1": 1}, **GRADES}
    bands = query_bands(judged_shop("shop", PRODUCTS, grades))
    assert bands.band_of == {
        "red": "head",
        "shoes": "torso",
        "red shoes": "torso",
        "acme red shoes": "tail",
        "运动鞋": "tail",
    }
    assert "tail at most 1, torso at most 2, head more" in bands.rule


def test_with_traffic_each_band_has_a_third_of_the_searches() -> None:
    traffic = {"shoes": 40, "red shoes": 33, "acme red shoes": 27, "never judged": 1_000}
    bands = query_bands(judged_shop("shop", PRODUCTS, GRADES, traffic=traffic))
    assert bands.band_of == {"shoes": "head", "red shoes": "torso", "acme red shoes": "tail", "运动鞋": "tail"}
    assert "how often a query is asked" in bands.rule


def test_traffic_of_few_queries_is_no_rule() -> None:
    bands = query_bands(judged_shop("shop", PRODUCTS, GRADES, traffic={"shoes": 9}))
    assert "how many products" in bands.rule


def test_products_by_popularity() -> None:
    shop = judged_shop("shop", PRODUCTS, GRADES, popularity={"3": 50, "1": 30, "2": 20})
    assert product_bands(shop).band_of == {"3": "head", "1": "torso", "2": "tail", "4": "tail"}
    assert product_bands(judged_shop("shop", PRODUCTS, GRADES)).band_of == {}
