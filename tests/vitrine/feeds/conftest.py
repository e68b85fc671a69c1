"""Reads a feed whole: its products, what was refused and why, and what was mended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from vitrine.errors import InvalidArgument
from vitrine.feeds.opening import open_feed
from vitrine.product import Product


@dataclass
class Read:
    """What became of a feed's rows."""

    kind: str
    products: dict[str, Product] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    left_out: int = 0
    mended: dict[str, int] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)


ReadFeed = Callable[..., Read]


@pytest.fixture
def read_feed(tmp_path: Path) -> ReadFeed:
    """Writes the content to a file of that name and reads it; keywords are those of `open_feed`."""

    def read(name: str, content: str | bytes, **options: Any) -> Read:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        feed = open_feed(path, **options)
        found = Read(feed.kind)
        positions = []
        for row in feed.source.rows():
            positions.append(row.position)
            if row.fault:
                found.refused.append((row.line, row.fault))
                continue
            try:
                product = feed.product(row.values)
            except InvalidArgument as error:
                found.refused.append((row.line, error.message))
                continue
            if product is None:
                found.left_out += 1
            else:
                found.products[product.id] = product
        assert positions == sorted(positions)
        found.mended = {what: count for what, count in feed.products.mended.items() if count}
        found.unused = list(feed.products.unused_columns)
        return found

    return read
