"""A shop whose visitors go from each product to the next of its kind, as files; each in the layout of `vitrine`."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KINDS = ("red watch", "blue watch", "red phone", "blue case")
A_KIND = 8  # products of each kind
VISITORS = 120
_START = datetime(2026, 1, 1, tzinfo=UTC)


def product_id(kind: int, place: int) -> str:
    return f"p{kind}-{place % A_KIND}"


def write_shop(folder: Path, visitors: int = VISITORS) -> tuple[Path, Path]:
    """Catalogue and events: a view of each, the first bought with the fifth; the last is new."""
    products = [
        {
            "id": product_id(kind, place),
            "title": f"{name} {place}",
            "brand": ("Acme", "Zeta")[place % 2],
            "categories": [f"Shop > {name}"],
            "price": 10.0 * (kind + 1) + place,
            "currency_code": "EUR",
        }
        for kind, name in enumerate(KINDS)
        for place in range(A_KIND)
    ]
    products.append({"id": "new", "title": "red watch", "categories": ["Shop > red watch"]})
    catalogue, events = folder / "catalogue.jsonl", folder / "events.jsonl"
    write_lines(catalogue, products)
    write_lines(events, made_events(visitors))
    return catalogue, events


def made_events(visitors: int) -> list[dict[str, Any]]:
    chance = random.Random(5)
    events = []
    for visitor in range(visitors):
        kind, first = visitor % len(KINDS), chance.randrange(A_KIND)
        time = _START + timedelta(hours=visitor)
        for step in range(chance.choice((3, 4, 5))):
            kinds = ("view", "add-to-cart", "purchase") if step == 0 else ("view_item",)
            shown = product_id(kind, first + step)
            if chance.random() < 0.1:
                shown = product_id(chance.randrange(len(KINDS)), chance.randrange(A_KIND))
            for name in kinds:
                time += timedelta(minutes=1)
                event = {"event_type": name, "visitor_id": f"v{visitor}", "event_time": time.isoformat()}
                more = (
                    [product_id(kind, first + 4)] if name == "purchase" and shown != product_id(kind, first + 4) else []
                )
                positions = [1 + step % 3, *(0 for _ in more)]
                events.append(event | {"product_ids": [shown, *more], "positions": positions})
    return events


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
