"""Queries and products of a shop, made from its catalogue alone: what compression learns from and is held against."""

import random
from dataclasses import dataclass

from training.lexical_evidence import lexical_scores
from training.shop_queries import item_queries
from training.sources.catalogue import Catalogue
from vitrine.bundle import BundleKind
from vitrine.product_text import (
    EMBEDDING_DESCRIPTION_COLUMNS,
    EMBEDDING_TITLE_COLUMNS,
    RANKING_DESCRIPTION_COLUMNS,
    RANKING_TITLE_COLUMNS,
)

COLUMNS: dict[BundleKind, tuple[int, int]] = {
    "embedder": (EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS),
    "ranker": (RANKING_TITLE_COLUMNS, RANKING_DESCRIPTION_COLUMNS),
}
_DRAWN, _NEAR, _FAR = 40, 4, 3  # candidates looked at, and how many of the likest and of any are taken


@dataclass(frozen=True)
class ShopList:
    """A query made from a product, and the texts of that product and, for a ranker, of others beside it."""

    query: str
    documents: tuple[str, ...]


def shop_lists(catalogue: Catalogue, kind: BundleKind, count: int, seed: int) -> list[ShopList]:
    """At most `count` lists in random order, one from a product; products without a query to make are left out."""
    rng = random.Random(seed)
    chosen = rng.sample(range(len(catalogue)), min(count, len(catalogue)))
    texts = catalogue.documents(chosen, COLUMNS[kind])
    lists = []
    for own, number in enumerate(chosen):
        for query in item_queries(catalogue.item(number), rng, 1):
            beside = _beside(query, own, texts, rng) if kind == "ranker" else []
            lists.append(ShopList(query, (texts[own], *beside)))
    return lists


def _beside(query: str, own: int, texts: list[str], rng: random.Random) -> list[str]:
    drawn = [texts[row] for row in rng.sample(range(len(texts)), min(_DRAWN, len(texts))) if row != own]
    if not drawn:
        return []
    scores = lexical_scores(query, drawn)
    likest = sorted(range(len(drawn)), key=lambda at: -float(scores[at]))
    return [drawn[at] for at in likest[:_NEAR] + likest[_NEAR:][-_FAR:]]
