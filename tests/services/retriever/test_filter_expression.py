"""Filter expressions: what they mean, and what is said of those that mean nothing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retriever.conditions import holds
from services.retriever.field_values import values_of
from services.retriever.filter_expression import MAX_CHARACTERS, MAX_DEPTH, condition_of
from services.retriever.filters import plan_of
from vitrine.errors import InvalidArgument
from vitrine.ports import ProductFilter
from vitrine.product import Availability, Product, checked_product

PHONE = checked_product(
    Product(
        id="P-1",
        title="索尼 手机 phone",
        brand="Sony",
        categories=("Phones > Smart phones", "电子 > 手机"),
        price=299.5,
        original_price=350.0,
        currency_code="EUR",
        availability=Availability.PREORDER,
        attributes={
            "Color": ("Red", "深蓝"),
            "screen size": (6.1,),
            "ram_gb": (8.0, 12.0),
            "memory": ("16",),
            "a.b": ('5" wide',),
            "颜色": ("红色",),
        },
        language="zh-Hans",
        update_time=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC),
    )
)


def _matches(expression: str) -> bool:
    return plan_of(ProductFilter(expression=expression)).matches(PHONE)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", True),
        ("   ", True),
        ('brand = "Sony"', True),
        ("brand=ＳＯＮＹ", True),
        ("brand = 'sony' AND price < 300", True),
        ("brand = 'sony' AND price < 299.5", False),
        ("price <= 299.5 AND price >= 299.5 AND price = 299.5", True),
        ("price > 299.5", False),
        ("price != 299.5", False),
        ("rating != 3", True),  # without a rating it is not 3
        ("rating:*", False),
        ("original_price:* AND attributes.color:*", True),
        ('brand != "Bose"', True),
        # OR binds tighter than AND.
        ("brand = Bose AND price < 300 OR price > 1", False),
        ("(brand = Bose AND price < 300) OR price > 1", True),
        ("price > 1 OR price < 0 brand = sony", True),
        ("price > 1 brand = bose", False),
        ("NOT brand = Bose", True),
        ("-brand = Sony", False),
        ("NOT (brand = Sony OR price > 1000)", False),
        ("-(brand = Bose)", True),
        ("NOT NOT", None),
        ("attributes.color = RED", True),
        ("attributes.COLOR = 深蓝", True),
        ("attributes.颜色 = 红色", True),
        ("attributes.color = (green, red)", True),
        ('attributes.color = ("green" OR "red")', True),
        ("attributes.color = (red AND 深蓝)", True),
        ("attributes.color = (red AND green)", False),
        ("attributes.color != (green, red)", False),
        ("attributes.color != (green, black)", True),
        ("attributes.color = re*", True),
        ("attributes.color = gr*", False),
        ('attributes."screen size" > 6', True),
        ('attributes."Screen Size" = 6.10', True),
        ("attributes.ram_gb < 9 AND attributes.ram_gb > 11", True),  # each of its numbers may
        ("attributes.memory = 16", True),
        ("attributes.memory > 1", False),  # words are not ordered
        ('attributes.a.b = "5\\" wide"', True),
        ('attributes."a.b" : "5\\" wide"', True),
        ("attributes.nothing = 1", False),
        ("-attributes.nothing = 1", True),
        ('categories : "Phones"', True),
        ('categories : "phones>SMART phones"', True),
        ('categories : "Phon"', False),
        ('categories = "Phones"', False),
        ('categories = "Phones > Smart phones"', True),
        ("categories = Phone*", True),
        ("categories:(电子,家具)", True),
        ("NOT categories : (Phones, 家具)", False),
        ("availability = preorder", True),
        ("availability != (in_stock, preorder)", False),
        ("currency_code = eur", True),
        ("language : zh", True),
        ("language = zh", False),
        ("id = P-1", True),
        ("id = p-1", False),
        ("id = (P-1, P-2)", True),
        ('update_time >= "2026-05-04"', True),
        ('update_time < "2026-05-04T03:02:01Z"', False),
        ('update_time = "2026-05-04T11:02:01+08:00"', True),
        ("attributes.t > -5 OR price > -5", True),
        ("price > 2e2 AND price < 1e3", True),
    ],
)
def test_an_expression_says_what_matches(expression: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(InvalidArgument):
            _matches(expression)
    else:
        assert _matches(expression) is expected


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("pricee < 3", "column 1, at 'pricee': there is no field 'pricee'; did you mean price?"),
        ("price < 3 AND colour = red", "column 15, at 'colour': there is no field 'colour'; fields are id, brand,"),
        ("price < cheap", "column 9, at 'cheap': below what? < compares with a number, such as 19.99"),
        ("price = 1 AND price > ", "column 23: a value is missing here"),
        ("price = 1 AND", "column 14: a field is missing here; write FIELD = VALUE"),
        ("AND price = 1", "column 1, at 'AND': a field is missing here"),
        ("price = AND", "column 9, at 'AND': a value is missing here"),
        ("brand = a | b", "column 11, at '|': is no field; join conditions with AND or OR, and list values as (a, b)"),
        ("price < 3 && brand = x", "column 11, at '&&': is no field; join conditions with AND or OR"),
        ("brand = x; price < 3 ; id = y", "column 22, at ';': is no field"),
        ("red shoes", "column 5, at 'shoes': a comparison (=, !=, <, <=, >, >=, :) has to follow the field"),
        ("brand and price = 1", "column 7, at 'and': 'brand' is not compared with anything; write brand = VALUE"),
        ("brand = Sony and price = 1", "column 18, at 'price': a comparison (=, !="),
        ("(price = 1", "column 11: the bracket of column 1 is not closed; add ')'"),
        ("price = 1)", "column 10, at ')': nothing was opened that this closes; remove it"),
        ('brand = "Sony', "column 9, at '\"': the quotation mark is not closed"),
        ("brand ! Sony", "column 7, at '!': means nothing here; write != to differ"),
        ("brand = (Sony, Bose", "column 20: the list of column 9 goes on with ',' or ends with ')'"),
        ("brand = (a AND b OR c)", "column 18, at 'OR': a list is joined by OR or by AND, not by both"),
        ("price < (1, 2)", "column 7, at '<': a list is compared by =, != or :"),
        ("brand < Sony", "column 1, at 'brand': brand holds words, which are not ordered; compare by =, != or :"),
        ("title = phone", "column 1, at 'title': title cannot be filtered on; its words are searched by query"),
        ("kind = review", "column 1, at 'kind': kinds are chosen by filter.kinds"),
        ("availability = sold", "column 16, at 'sold': is not an availability; use one of in_stock, out_of_stock"),
        ("update_time > yesterday", "column 15, at 'yesterday': above what? > compares with a time in quotation"),
        ("brand = S*y", "column 9, at 'S*y': * stands for the rest of a word, at its end only"),
        ('brand = ""', "column 9: is empty; to ask for products without brand write NOT brand:*"),
        ("attributes. = 1", "column 1, at 'attributes.': the attribute's name is missing; write attributes.NAME"),
        ("价格 < 3", "column 1, at '价格': there is no field '价格'"),
        ("(" * (MAX_DEPTH + 2) + "price = 1", f"column {MAX_DEPTH + 2}, at '(': is nested more than 20 deep"),
        ("x" * (MAX_CHARACTERS + 1), f"has {MAX_CHARACTERS + 1} characters; at most 4,000 are allowed"),
    ],
)
def test_what_is_wrong_is_said_with_its_column(expression: str, fault: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        condition_of(expression)
    [violation] = refused.value.violations
    assert violation.field == "filter.expression"
    assert violation.description.startswith(fault)


_MARKS = "brand price attributes. id update_time - ( ) AND OR NOT = != < >= : , * So* 1 -5 1e999 nan 9999-12-31"
pieces = st.sampled_from([*_MARKS.split(), " ", '"', "\\", "颜色", '"a b"', '"0001-01-01T00:00:00+23:59"'])


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=12).map(" ".join) | st.text(max_size=30))
def test_whatever_is_written_is_read_or_refused(expression: str) -> None:
    try:
        condition = condition_of(expression)
    except InvalidArgument as refused:
        [violation] = refused.violations
        assert violation.description.startswith("column ")
    else:
        assert holds(condition, {**values_of(PHONE), "id": (PHONE.id,)}) in (True, False)
