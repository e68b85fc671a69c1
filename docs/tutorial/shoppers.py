"""Plays shoppers of the tutorial's shop: each searches, looks down the list and opens what he likes.

They like new things better than used ones, which no model can know beforehand. A shop of your own needs no such script:
its pages write these events. Usage: python docs/tutorial/shoppers.py [TARGET]
"""

import asyncio
import csv
import random
import sys
from pathlib import Path

from vitrine.client import Client

FOLDER = Path(__file__).parent
SHOPPERS = 3  # of each search


def rows(name: str) -> list[dict[str, str]]:
    """A file of the tutorial's folder."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def liking(query: str, category: str, product: dict[str, str]) -> float:
    """The chance that one who asks for `query`, meaning `category`, opens a product that he looks at."""
    if product["categories"] != category:
        return 0.02
    if product["attributes.condition"] == "used":
        return 0.05
    return 0.9 if all(word in product["title"] for word in query.split()) else 0.4


async def main(target: str) -> None:
    """Plays them all, one after the other."""
    products = {product["id"]: product for product in rows("products.csv")}
    draw = random.Random(7)
    searches = clicks = 0
    async with Client(target) as client:
        for search in rows("searches.csv"):
            for _ in range(SHOPPERS):
                searches += 1
                shopper = client.visitor(f"shopper-{searches}")
                answer = await shopper.search(search["query"])
                await shopper.saw(answer, query=search["query"])
                for result in answer.results:
                    # Fewer look at what stands further down.
                    looks = result.position**-0.3
                    if draw.random() < looks * liking(**search, product=products[result.product.id]):
                        clicks += 1
                        await shopper.did("select_item", result.product.id, after=answer, query=search["query"])
    print(f"{searches} searches and {clicks} clicks written")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"))
