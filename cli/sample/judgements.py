"""Query-product judgements, grades 0 to 3, that follow from the attributes."""

from collections.abc import Iterator
from typing import Any

from cli.sample.draw import Draw
from cli.sample.lexicon import LANGUAGES, ProductType
from cli.sample.products import Shop
from cli.sample.queries import query_for

MAX_QUERIES = 300
_OF_TYPE, _OF_RELATED, _OF_OTHERS = 60, 10, 10


def judgements(shop: Shop) -> Iterator[dict[str, Any]]:
    """A row for each judged pair, query by query. Judged are the type's own products, all of them up to 60,
    some of related types and some of any."""
    seen: set[str] = set()
    for number in range(min(MAX_QUERIES, max(1, shop.products // 10))):
        draw = Draw(shop.seed, "judged query", number)
        about = shop.facts(draw.below(shop.products))
        query = query_for(about, LANGUAGES[number % 2], draw)
        if query.text in seen:
            continue
        seen.add(query.text)
        pool = {about.index, *_of_type(shop, query.type, _OF_TYPE, draw)}
        for kind in shop.offered:
            if query.type.key in (kind.host, kind.near) or query.type.near == kind.key:
                pool.update(_of_type(shop, kind, _OF_RELATED, draw))
        pool.update(draw.below(shop.products) for _ in range(_OF_OTHERS))
        for index in sorted(pool):
            facts = shop.facts(index)
            yield {
                "query_id": f"Q{number + 1:04d}",
                "query": query.text,
                "language": query.language,
                "product_id": facts.id,
                "grade": query.grade(facts),
            }


def _of_type(shop: Shop, kind: ProductType, most: int, draw: Draw) -> Iterator[int]:
    return (shop.index_of(kind, number) for number in draw.some(most, shop.count(kind)))
