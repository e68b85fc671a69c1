"""Facets against counting by hand, and columns of many versions."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retriever.conditions import levels_of, normal
from services.retriever.facets import facet_of
from services.retriever.field_columns import FieldColumns
from services.retriever.field_sheet import FieldSheet
from vitrine.ports import FacetSpec

BRANDS = ("Acme", "ACME", "acme", "Größe", "华为")
PATHS = ("Shoes > Trail", "shoes > trail", "Shoes > City", "Shoes", "Sale", "鞋 > 跑鞋")
SIZES = (0.0, 38.0, 38.5, 40.0, 1e9)
BOUNDS = (38.0, 40.0)

paths = st.lists(st.sampled_from(PATHS), min_size=1, unique_by=lambda path: normal("categories", path))
products = st.fixed_dictionaries(
    {},
    optional={
        "brand": st.sampled_from(BRANDS).map(lambda brand: (brand,)),
        "categories": paths.map(tuple),
        "attributes.size": st.lists(st.sampled_from(SIZES), min_size=1, unique=True).map(tuple),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(products, min_size=1, max_size=30), st.data())
def test_counts_are_those_of_counting_by_hand(made: list[dict[str, Any]], data: st.DataObject) -> None:
    """Over a few of many and over all, which are counted in different ways."""
    filler: list[dict[str, Any]] = [{}] * data.draw(st.sampled_from([0, 1_500]))
    ids = [f"p{number}" for number in range(len(made) + len(filler))]
    fields = FieldColumns(ids)
    fields.append(FieldSheet.of(ids, [*made, *filler]))
    count = data.draw(st.integers(0, len(made)))
    chosen = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    of = [made[position] for position in chosen]

    brands = Counter(normal("brand", brand) for one in of for brand in one.get("brand", ()))
    facet = facet_of(fields, FacetSpec("brand", 9), chosen, count)
    assert {normal("brand", value.value): value.count for value in facet.values} == brands
    written = Counter(brand for one in of for brand in one.get("brand", ()))
    for value in facet.values:
        same = [n for brand, n in written.items() if normal("brand", brand) == normal("brand", value.value)]
        assert written[value.value] == max(same)
    assert [value.count for value in facet.values] == sorted((value.count for value in facet.values), reverse=True)

    levels = Counter(
        level
        for one in of
        for level in {
            level for path in one.get("categories", ()) for level in levels_of("categories", normal("categories", path))
        }
    )
    facet = facet_of(fields, FacetSpec("categories", 99), chosen, count)
    assert {normal("categories", value.value): value.count for value in facet.values} == levels

    sizes = [one["attributes.size"] for one in of if "attributes.size" in one]
    facet = facet_of(fields, FacetSpec("attributes.size", bounds=BOUNDS), chosen, count)
    bounds = (-np.inf, *BOUNDS, np.inf)
    expected = [sum(any(low <= number < high for number in size) for size in sizes) for low, high in pairwise(bounds)]
    assert [value.count for value in facet.values] == (expected if sizes else [])
    numbers = [number for size in sizes for number in size]
    assert (facet.min, facet.max) == ((min(numbers), max(numbers)) if numbers else (None, None))


def test_the_limit_keeps_the_most_frequent() -> None:
    ids = [f"p{number}" for number in range(6)]
    fields = FieldColumns(ids)
    fields.append(FieldSheet.of(ids, [{"brand": (brand,)} for brand in ("b", "a", "c", "a", "b", "a")]))
    facet = facet_of(fields, FacetSpec("brand", 2), np.arange(6), 6)
    assert [(value.value, value.count) for value in facet.values] == [("a", 3), ("b", 2)]
