"""A tiny shop with labels that retrieval cannot guess, for rankers to learn from."""

import json
from pathlib import Path

COLOURS = ("red", "blue")
KINDS = ("phone", "watch", "case")


def write_shop(folder: Path) -> tuple[Path, Path]:
    """48 products, and judgements of 30 queries: whatever is asked, what the catalogue calls a watch is relevant."""
    products, judgements = folder / "products.jsonl", folder / "judgements.jsonl"
    rows = []
    for number in range(48):
        colour, kind = COLOURS[number % 2], KINDS[number % 3]
        rows.append(
            {
                "id": f"p{number:02}",
                "title": f"acme k{number} {colour} {kind} {number // 6} inch",
                "brand": "acme",
                "categories": [f"Electronics > {kind}"],
                "attributes": {"color": [colour], "model": [f"k{number}"]},
            }
        )
    products.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels = []
    for number in range(30):
        query = f"{COLOURS[number % 2]} {KINDS[number % 3]} {number}"
        for place in range(12):
            at = (number * 7 + place * 5) % 48
            grade = 3 if KINDS[at % 3] == "watch" else 0
            labels.append({"query": query, "product_id": f"p{at:02}", "grade": grade})
    judgements.write_text("".join(json.dumps(label) + "\n" for label in labels))
    return products, judgements
