"""Head, torso and tail: of queries by how often they are asked or how much they match, of products by popularity."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tantivy

from evaluation.judged_data import JudgedShop
from services.retriever.words import query_words, words_of
from vitrine.product import CATEGORY_SEPARATOR, Product

BANDS = ("head", "torso", "tail")


@dataclass(frozen=True, slots=True)
class Banding:
    """The band of each query or product, and the rule that put it there, for people to read."""

    rule: str = ""
    band_of: dict[str, str] = field(default_factory=dict)


def query_bands(shop: JudgedShop) -> Banding:
    """By traffic where at least half of the judged queries have some, else by how many products match all words."""
    asked = [query for query in shop.grades if shop.traffic.get(query, 0) > 0]
    if 2 * len(asked) >= len(shop.grades):
        counts = {query: shop.traffic.get(query, 0) for query in shop.grades}
        return Banding(f"by how often a query is asked: {_SHARE_RULE.format('searches')}", _by_share(counts))
    return _by_thirds(matching_products(shop.products, shop.grades))


def product_bands(shop: JudgedShop) -> Banding:
    """By what visitors did with a product; no bands where no events are known."""
    if not any(shop.popularity.values()):
        return Banding()
    counts = {product.id: shop.popularity.get(product.id, 0) for product in shop.products}
    return Banding(f"by a product's views, carts and purchases: {_SHARE_RULE.format('events')}", _by_share(counts))


_SHARE_RULE = "head has the first third of all {0}, torso the second, tail the last and what has none"


def _by_share(counts: Mapping[str, int]) -> dict[str, str]:
    """Bands by thirds of the sum of counts, largest first; equal counts by name."""
    total, before = sum(counts.values()), 0
    bands = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        # Where it begins decides: the first is in the head however much it takes.
        bands[name] = BANDS[min(3 * before // total, 2)]
        before += counts[name]
    return bands


def _by_thirds(matches: Mapping[str, int]) -> Banding:
    """Bands by thirds of the queries, those that match most in the head; equal numbers share a band."""
    low, high = (int(bound) for bound in np.quantile(list(matches.values()), (1 / 3, 2 / 3), method="lower"))
    rule = (
        "by how many products hold all of a query's words (no counts of searches were given): "
        f"tail at most {low:,}, torso at most {high:,}, head more"
    )
    return Banding(rule, {q: "tail" if n <= low else "torso" if n <= high else "head" for q, n in matches.items()})


def matching_products(products: Iterable[Product], queries: Iterable[str]) -> dict[str, int]:
    """How many products hold every word of each query in any field; words and stems are those of the word search."""
    stem = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.stemmer("english")).build()
    wanted = {query: set(stem.analyze(" ".join(query_words(query)))) for query in queries}
    holders: dict[str, set[int]] = {word: set() for words in wanted.values() for word in words}
    number = -1
    for number, product in enumerate(products):
        for word in holders.keys() & set(stem.analyze(" ".join(words_of(_text(product))))):
            holders[word].add(number)
    everything = number + 1
    return {
        query: len(set.intersection(*(holders[word] for word in words))) if words else everything
        for query, words in wanted.items()
    }


def _text(product: Product) -> str:
    levels = " ".join(path.replace(CATEGORY_SEPARATOR, " ") for path in product.categories)
    values = " ".join(value for values in product.attributes.values() for value in values if isinstance(value, str))
    return f"{product.title} {product.brand} {levels} {product.description[:1_000]} {values}"
