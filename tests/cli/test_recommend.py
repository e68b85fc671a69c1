"""`vitrine recommend`: which placement its options name."""

from typing import Any

import pytest

from cli.recommend import placed
from vitrine.errors import InvalidArgument

NOTHING: dict[str, Any] = {
    "similar_to": None,
    "goes_with": None,
    "cart": None,
    "ads": False,
    "content": False,
    "about": None,
}


@pytest.mark.parametrize(
    ("given", "placement", "product_ids"),
    [
        ({}, "home", ()),
        ({"similar_to": ["a"]}, "similar", ["a"]),
        ({"goes_with": ["a", "b"]}, "complementary", ["a", "b"]),
        ({"cart": ["a"]}, "cart", ["a"]),
        ({"ads": True}, "ads", ()),
        ({"content": True}, "content", ()),
        ({"about": ["a"]}, "content", ["a"]),
    ],
)
def test_options_name_a_placement(given: dict[str, Any], placement: str, product_ids: Any) -> None:
    assert placed(**NOTHING | given) == (placement, product_ids)


def test_two_placements_at_once_are_refused_naming_both() -> None:
    with pytest.raises(InvalidArgument, match="cart: is given beside similar-to"):
        placed(**NOTHING | {"similar_to": ["a"], "cart": ["b"]})
