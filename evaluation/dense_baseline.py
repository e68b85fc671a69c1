"""Orders and scores by any text encoder, searched exactly: how base models are measured before they are served."""

from collections.abc import Callable, Sequence

import numpy as np

from evaluation.judged_data import JudgedShop, LabelledPair, baseline_text
from evaluation.relevance import CONDENSED_DEPTH, QueryOrders
from vitrine.ports import InputType
from vitrine.vectors import FloatArray

# Texts of one kind -> (n, dim) float32, L2-normalised, prompts included.
Encode = Callable[[Sequence[str], InputType], FloatArray]


def dense_orders(shop: JudgedShop, encode: Encode) -> dict[str, QueryOrders]:
    """Orders by cosine of the query and the product's title and brand."""
    ids = [product.id for product in shop.products]
    row_of = {product_id: row for row, product_id in enumerate(ids)}
    titles = encode([baseline_text(product) for product in shop.products], InputType.DOCUMENT)
    queries = encode(list(shop.grades), InputType.QUERY)
    orders = {}
    for (query, grades), vector in zip(shop.grades.items(), queries, strict=True):
        scores = titles @ vector
        orders[query] = QueryOrders(
            judged=sorted(grades, key=lambda product_id: (-scores[row_of[product_id]], product_id)),
            full=[ids[row] for row in np.argsort(-scores, kind="stable")[:CONDENSED_DEPTH]],
        )
    return orders


def dense_pair_scores(pairs: Sequence[LabelledPair], encode: Encode) -> list[float]:
    """Cosine of query and title of each pair."""
    queries = encode([pair.query for pair in pairs], InputType.QUERY)
    titles = encode([pair.title for pair in pairs], InputType.DOCUMENT)
    scores: list[float] = np.einsum("nd,nd->n", queries, titles).tolist()
    return scores
