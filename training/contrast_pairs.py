"""Query-product pairs for the contrastive step, each with a hard negative that only looks right; made without labels.

Hard negatives teach what similarity misses: the accessory beside its host, the same type with another colour or size,
the brand's other products.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from training import shop_lexicon
from training.shop_files import ShopItem
from training.shop_lexicon import MadeProduct
from training.shop_queries import head_noun, item_queries
from vitrine.product_text import EMBEDDING_DESCRIPTION_COLUMNS, EMBEDDING_TITLE_COLUMNS
from vitrine.text import normalize_text


@dataclass(frozen=True)
class ContrastPair:
    """Normalised texts. Products of the same `group` may answer the query too, so they are never its negatives."""

    query: str
    document: str
    negative: str
    group: str


def catalogue_pairs(items: Sequence[ShopItem], rng: random.Random, count: int) -> list[ContrastPair]:
    """Pairs from a shop's own products; the negative shares the brand, or words of the title, but not the head noun."""
    heads = {item.id: head_noun(item) or item.id for item in items}
    by_brand: dict[str, list[ShopItem]] = defaultdict(list)
    by_head_word: dict[str, list[ShopItem]] = defaultdict(list)
    for item in items:
        by_brand[item.brand].append(item)
        for word in set(normalize_text(item.title).split(" ")):
            if len(word) > 3 and word.isalpha():
                by_head_word[word].append(item)
    pairs: list[ContrastPair] = []
    for item in rng.sample(items, k=min(count, len(items))):
        queries = item_queries(item, rng, 1)
        if not queries:
            continue
        last = heads[item.id].split(" ")[-1]
        pool = by_head_word[last] if rng.random() < 0.6 and by_head_word[last] else by_brand[item.brand]
        other = rng.choice(pool)
        negative = other if heads[other.id].split(" ")[-1] != last else rng.choice(items)
        columns = (EMBEDDING_TITLE_COLUMNS, rng.choice((0, EMBEDDING_DESCRIPTION_COLUMNS)))
        pairs.append(ContrastPair(queries[0], item.words(columns), negative.words(columns), heads[item.id]))
    return pairs


def made_pairs(rng: random.Random, count: int) -> list[ContrastPair]:
    """Pairs of made products, mostly Chinese, a third across languages."""
    pairs: list[ContrastPair] = []
    for _ in range(count):
        product = shop_lexicon.make_product(rng)
        asked, shown = rng.choices((("zh", "zh"), ("en", "en"), ("zh", "en"), ("en", "zh")), weights=(5, 2, 2, 1))[0]
        query, named, with_brand = shop_lexicon.query(product, asked, rng)
        wrong = near_miss(product, named, with_brand, rng)
        document, negative = (normalize_text(shop_lexicon.title(made, shown, rng)) for made in (product, wrong))
        pairs.append(ContrastPair(normalize_text(query), document, negative, product.type.chinese[0]))
    return pairs


def near_miss(
    product: MadeProduct, named: Sequence[shop_lexicon.Term], with_brand: bool, rng: random.Random
) -> MadeProduct:
    """A product that shares much with `product` but does not answer a query that names these attributes."""
    choices: list[MadeProduct] = []
    host = shop_lexicon.host_type(product.type)
    accessories = [kind for kind in shop_lexicon.product_types() if kind.host and kind.host in product.type.chinese]
    for kind in [*([host] if host else []), *accessories]:
        choices += [MadeProduct(kind, product.brand, product.attributes)] * 2
    for term in named:
        others = [
            other
            for other in shop_lexicon.attribute_terms()
            if other.kind == term.kind and other != term and other.fits(product.type.department)
        ]
        if others and term.kind in ("colour", "size", "count", "audience", "material"):
            swapped = tuple(rng.choice(others) if have == term else have for have in product.attributes)
            choices.append(MadeProduct(product.type, product.brand, swapped))
    if with_brand:
        rivals = [b for b in shop_lexicon.brand_terms() if b.fits(product.type.department) and b != product.brand]
        if rivals:
            choices.append(MadeProduct(product.type, rng.choice(rivals), product.attributes))
    siblings = [
        k for k in shop_lexicon.product_types() if k.department == product.type.department and k != product.type
    ]
    choices.append(MadeProduct(rng.choice(siblings), product.brand, product.attributes))
    return rng.choice(choices)
