"""No password of an address is shown, however it is written."""

import pytest

from vitrine.shown_address import shown_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://id.example/.well-known/jwks.json", "https://id.example/.well-known/jwks.json"),
        ("http://[::1]:19530", "http://[::1]:19530"),
        ("https://root:word@milvus:19530", "https://milvus:19530"),
        ("https://root:w@rd@milvus:19530/shop", "https://milvus:19530/shop"),
        ("postgresql://db/shop?user=u&password=word", "postgresql://db/shop"),
        ("redis//:word@cache", "…"),
        ("root:word@milvus:19530", "…"),
        ("https://root:word@[milvus", "…"),
        ("word", "…"),
        ("", "…"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_address(url) == shown
