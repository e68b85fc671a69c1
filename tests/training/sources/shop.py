"""Source files made on the spot: a shop of one row a product, events in both layouts, judgements."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PRODUCTS: tuple[dict[str, Any], ...] = (
    {"id": "a", "title": "Acme K1 red phone, 128 GB", "brand": "Acme", "attributes": {"color": ["red"]}},
    {"id": "b", "title": "Acme K2 blue phone", "brand": "Acme", "attributes": {"color": ["blue"], "model": ["K2"]}},
    {"id": "c", "title": "Acme phone case, blue", "brand": "Acme", "categories": ["Phones > Phone case"]},
    {"id": "d", "title": "极星 耳机 红色", "brand": "极星", "attributes": {"product_type": ["耳机"], "颜色": ["红色"]}},
)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def search(session: str, minute: int, query: str, *products: str) -> dict[str, Any]:
    return _event(session, minute, "search", products) | {"query": query}


def action(session: str, minute: int, kind: str, product: str) -> dict[str, Any]:
    return _event(session, minute, kind, (product,))


def _event(session: str, minute: int, kind: str, products: Iterable[str]) -> dict[str, Any]:
    return {
        "session_id": session,
        "event_time": f"2026-01-01T00:{minute:02}:00Z",
        "event_type": kind,
        "product_ids": list(products),
    }
