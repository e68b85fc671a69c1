"""The sample shop on disk: JSON lines, one file a kind of thing, written row by row."""

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cli.sample.events import events
from cli.sample.judgements import judgements
from cli.sample.products import Shop, timestamp
from cli.sample.reviews import reviews
from cli.sample.visitors import Visitors
from vitrine.product import Product

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Moved = Callable[[int, str], None]


def product_row(product: Product) -> dict[str, Any]:
    """A product as a row of products.jsonl: the fields of product.proto, unset ones left out."""
    row: dict[str, Any] = {
        "id": product.id,
        "title": product.title,
        "brand": product.brand,
        "categories": list(product.categories),
        "description": product.description,
        "price": product.price,
        "original_price": product.original_price,
        "currency_code": product.currency_code,
        "availability": product.availability.value,
        "attributes": {name: list(values) for name, values in product.attributes.items()},
        "image_uris": list(product.image_uris),
        "language": product.language,
        "update_time": timestamp(product.update_time) if product.update_time else None,
    }
    return {name: value for name, value in row.items() if value is not None}


def write_shop(folder: Path, *, products: int, seed: int, moved: Moved = lambda done, note: None) -> dict[str, int]:
    """Writes the shop's files and gives their numbers of rows. `moved` hears how many products are done.

    Memory does not grow with `products`; the same arguments give the same bytes. A file appears when it is whole.
    Products are written here and the other files beside it, by processes of their own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=2, mp_context=spawn) as pool:
        # The longest first, so that the short ones fill the other process.
        others = {
            name: pool.submit(_write_file, folder, name, products, seed)
            for name in ("events", "reviews", "judgements", "visitors")
        }
        rows = {"products": _write_rows(folder / "products.jsonl", _product_rows(Shop(products, seed), moved))}
        moved(products, "finishing reviews, events and judgements")
        return rows | {name: written.result() for name, written in others.items()}


def _write_file(folder: Path, name: str, products: int, seed: int) -> int:
    shop = Shop(products, seed)
    visitors = Visitors(shop)
    rows: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "events": lambda: events(shop, visitors),
        "reviews": lambda: (row for index in range(products) for row in reviews(shop, index, visitors.count)),
        "judgements": lambda: judgements(shop),
        "visitors": lambda: _visitor_rows(visitors),
    }
    return _write_rows(folder / f"{name}.jsonl", rows[name]())


def _product_rows(shop: Shop, moved: Moved) -> Iterator[dict[str, Any]]:
    for index in range(shop.products):
        yield product_row(shop.product(index))
        if index % 1_000 == 999:
            moved(index + 1, "")


def _visitor_rows(visitors: Visitors) -> Iterator[dict[str, Any]]:
    for number in range(visitors.count):
        visitor = visitors.visitor(number)
        yield {
            "id": visitor.id,
            "language": visitor.language,
            "profile": visitor.profile(),
            "tastes": {
                "product_types": [kind.key for kind in visitor.types],
                "brands": [asdict(brand) for brand in visitor.brands],
                "color": asdict(visitor.color),
                "price_level": round(visitor.price_level, 3),
            },
        }


def _write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    scratch = path.with_name(f".{path.name}.tmp")
    count = 0
    with scratch.open("w", encoding="utf-8", newline="\n", buffering=1 << 20) as file:
        for row in rows:
            file.write(_encode(row) + "\n")
            count += 1
    scratch.replace(path)
    return count
