"""Lists of candidates for listwise training, with target scores; from catalogues and made products, without labels.

A catalogue list takes the teachers' similarity and corrects it by what the titles say: the head noun must be the
query's, and what is made *for* it is not it. A made list's scores follow from its products' attributes.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training import shop_lexicon
from training.contrast_pairs import near_miss
from training.e5_weights import Floats
from training.lexical_evidence import lexical_scores
from training.shop_files import ShopItem
from training.shop_lexicon import MadeProduct
from training.shop_queries import head_noun, is_accessory, made_for
from vitrine.product_text import RANKING_DESCRIPTION_COLUMNS, RANKING_TITLE_COLUMNS
from vitrine.text import normalize_text

LIST_SIZE = 12
_CLOSE, _NEAR = 40, 400  # ranks by the teachers that candidates are drawn from


@dataclass(frozen=True)
class RankList:
    """A query, its candidates and their target relevance in [0, 1], all texts normalised."""

    query: str
    documents: tuple[str, ...]
    relevance: tuple[float, ...]


# Similarities (n,) of a query with n product texts.
Reader = Callable[[str, Sequence[str]], Floats]


@dataclass(frozen=True)
class Catalogue:
    """A shop's items with the teachers' vectors of their titles (n, d), L2-normalised."""

    items: Sequence[ShopItem]
    vectors: Floats


def catalogue_lists(
    catalogue: Catalogue,
    queries: Sequence[tuple[str, int]],
    query_vectors: Floats,
    rng: random.Random,
    read_again: Reader | None = None,
    word_weight: float | None = None,
) -> list[RankList]:
    """One list per query; `queries` hold (text, row of the item that it was made from), `query_vectors` are (n, d).

    With `read_again` a model that reads the very words that the ranker reads gives the similarities in place of the
    catalogue's vectors, which then only choose the candidates. With `word_weight` the share of the query's words that a
    product has counts beside the similarity, as it does in the final score, and titles correct only where a product is
    made for what the query asks for.
    """
    titles = [normalize_text(item.title)[:160] for item in catalogue.items]
    heads = [head_noun(item) for item in catalogue.items]
    accessory = [is_accessory(item) for item in catalogue.items]
    by_last_word: dict[str, list[int]] = defaultdict(list)
    for row, title in enumerate(titles):
        for word in set(title.split(" ")):
            by_last_word[word].append(row)
    lists: list[RankList] = []
    for (query, source), vector in zip(queries, query_vectors, strict=True):
        similarity = catalogue.vectors @ vector
        close = np.argsort(-similarity)[:_NEAR]
        rows = {source, *rng.sample(list(close[:_CLOSE]), 5), *rng.sample(list(close[_CLOSE:]), 3)}
        rows |= set(rng.sample(range(len(titles)), 2))
        last = heads[source].split(" ")[-1]
        if last in query.split(" "):
            named = by_last_word[last]
            rows |= set(rng.sample(named, min(2, len(named))))
        chosen = [source, *sorted(map(int, rows - {source}))[: LIST_SIZE - 1]]
        columns = (RANKING_TITLE_COLUMNS, rng.choice((0, RANKING_DESCRIPTION_COLUMNS, RANKING_DESCRIPTION_COLUMNS)))
        words = tuple(catalogue.items[row].words(columns) for row in chosen)
        likeness = similarity[chosen] if read_again is None else read_again(query, words)
        if word_weight is None:
            relevance = [
                _relevance(float(like), query, last, heads[row], accessory[row], accessory[source], row == source)
                for row, like in zip(chosen, likeness, strict=True)
            ]
        else:
            found = word_weight * lexical_scores(query, words)
            relevance = [
                _worded_relevance(float(score), word_weight, made_for(query, titles[row]), row == source)
                for row, score in zip(chosen, likeness + found, strict=True)
            ]
        lists.append(RankList(query, words, tuple(relevance)))
    return lists


def _relevance(
    similarity: float, query: str, wanted: str, head: str, for_other: bool, wants_accessory: bool, own: bool
) -> float:
    """The teachers' similarity mapped to [0, 1], corrected by what the title says the product is."""
    names_kind = wanted and wanted in query.split(" ") and head
    same_kind = head.split(" ")[-1] == wanted if names_kind else None
    corrected = title_corrected((similarity - 0.1) / 0.7, same_kind, for_other and not wants_accessory, own)
    return min(1.0, max(0.0, corrected))


def title_corrected(score: float, same_kind: bool | None, unwanted_accessory: bool, own: bool) -> float:
    """The score with what titles say of it; `same_kind` is None when the query or the title names no kind."""
    if same_kind is not None:
        score += 0.12 if same_kind else -0.15
    if unwanted_accessory:
        score -= 0.12
    if own:
        score += 0.15
    return score


def _worded_relevance(score: float, word_weight: float, made_for_it: bool, own: bool) -> float:
    """Similarity and words mapped to [0, 1]; more for the query's own product, less for what only serves it."""
    return min(1.0, max(0.0, (score - 0.1) / (0.7 + word_weight) + 0.12 * own - 0.1 * made_for_it))


def made_lists(rng: random.Random, count: int) -> list[RankList]:
    """Lists of made products, mostly Chinese, some across languages; relevance follows from what they are."""
    lists: list[RankList] = []
    for _ in range(count):
        product = shop_lexicon.make_product(rng)
        asked, shown = rng.choices((("zh", "zh"), ("en", "en"), ("zh", "en"), ("en", "zh")), weights=(6, 2, 1, 1))[0]
        query, named, with_brand = shop_lexicon.query(product, asked, rng)
        candidates = [
            product,
            shop_lexicon.make_product(rng, product.type),
            shop_lexicon.make_product(rng, product.type),
        ]
        candidates += [near_miss(product, named, with_brand, rng) for _ in range(4)]
        candidates += [shop_lexicon.make_product(rng) for _ in range(LIST_SIZE - len(candidates))]
        brand = product.brand if with_brand else None
        relevance = tuple(_made_relevance(product, named, brand, candidate) for candidate in candidates)
        documents = tuple(normalize_text(shop_lexicon.title(candidate, shown, rng)) for candidate in candidates)
        lists.append(RankList(normalize_text(query), documents, relevance))
    return lists


def _made_relevance(
    product: MadeProduct, named: Sequence[shop_lexicon.Term], brand: shop_lexicon.Term | None, candidate: MadeProduct
) -> float:
    if candidate.type != product.type:
        related = product.type.chinese[0] == candidate.type.host or candidate.type.chinese[0] == product.type.host
        return 0.12 if related else 0.1 if candidate.type.department == product.type.department else 0.0
    score = 1.0
    for term in named:
        if term not in candidate.attributes:
            clash = any(other.kind == term.kind for other in candidate.attributes)
            score -= 0.25 if clash else 0.12
    if brand is not None and candidate.brand != brand:
        score -= 0.3 if candidate.brand else 0.15
    return max(0.3, score)
