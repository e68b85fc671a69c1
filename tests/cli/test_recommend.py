"""`vitrine recommend`: which placement its options name."""

from typing import Any

import pytest

from cli.recommend import placed
from vitrine.errors import InvalidArgument
from vitrine.v1 import recommendation_service_pb2 as pb

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
        ({}, pb.PLACEMENT_HOME, ()),
        ({"similar_to": ["a"]}, pb.PLACEMENT_SIMILAR, ["a"]),
        ({"goes_with": ["a", "b"]}, pb.PLACEMENT_COMPLEMENTARY, ["a", "b"]),
        ({"cart": ["a"]}, pb.PLACEMENT_CART, ["a"]),
        ({"ads": True}, pb.PLACEMENT_ADS, ()),
        ({"content": True}, pb.PLACEMENT_CONTENT, ()),
        ({"about": ["a"]}, pb.PLACEMENT_CONTENT, ["a"]),
    ],
)
def test_options_name_a_placement(given: dict[str, Any], placement: int, product_ids: Any) -> None:
    assert placed(**NOTHING | given) == (placement, product_ids)


def test_two_placements_at_once_are_refused_naming_both() -> None:
    with pytest.raises(InvalidArgument, match="cart: is given beside similar-to"):
        placed(**NOTHING | {"similar_to": ["a"], "cart": ["b"]})
