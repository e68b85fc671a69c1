"""Token rows of products and queries, ids without special tokens, that a ranker is distilled on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.asked_products import AskedProduct
from training.drawn_titles import DrawnTitles
from vitrine.product_text import (
    EMBEDDING_DESCRIPTION_COLUMNS,
    EMBEDDING_TITLE_COLUMNS,
    RANKING_DESCRIPTION_COLUMNS,
    RANKING_TITLE_COLUMNS,
)

_RANKED, _EMBEDDED, _ASKED = 70, 94, 24  # tokens at most
_QUERY_CHARACTERS = 60


@dataclass(frozen=True)
class DistilRows:
    """Rows of n products and m queries; `sources` (m,) are the numbers of the queries' own products."""

    ranked: list[list[int]]  # products as the ranker reads them
    embedded: list[list[int]]  # and as the embedder does
    queries: list[list[int]]
    sources: NDArray[Any]
    chinese: NDArray[Any]  # (n,) bool


def distil_rows(products: Sequence[AskedProduct], tokenizer: Tokenizer, drawn: int, seed: int) -> DistilRows:
    """Products with their queries, and words of English titles as more of them; then `drawn` titles.

    Raises TrainingError as DrawnTitles does.
    """
    rng = np.random.default_rng(seed)
    titles = DrawnTitles(tokenizer, rng)
    asked: list[str] = []
    sources: list[int] = []
    for number, product in enumerate(products):
        queries = [*product.queries, *_title_window(product, rng)]
        asked += queries
        sources += [number] * len(queries)
    ranked = _ids(tokenizer, [one.words((RANKING_TITLE_COLUMNS, RANKING_DESCRIPTION_COLUMNS)) for one in products])
    embedded = _ids(
        tokenizer, [one.words((EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS)) for one in products]
    )
    rows = _ids(tokenizer, asked)
    chinese = [one.chinese for one in products]
    own = list(ranked)
    for title, queries_of_it in titles.draw(drawn, own, [row for row, zh in zip(own, chinese, strict=True) if zh]):
        rows += queries_of_it
        sources += [len(ranked)] * len(queries_of_it)
        ranked.append(title)
        embedded.append(title)
        chinese.append(True)
    kept = [number for number, row in enumerate(rows) if row]
    return DistilRows(
        [row[:_RANKED] for row in ranked],
        [row[:_EMBEDDED] for row in embedded],
        [rows[number][:_ASKED] for number in kept],
        np.array(sources, dtype=np.int64)[kept],
        np.array(chinese, dtype=bool),
    )


def _title_window(product: AskedProduct, rng: np.random.Generator) -> list[str]:
    """One to four words in a row of a title of three or more, as one query; none of a Chinese one."""
    words = product.title.split(" ")
    if product.chinese or len(words) < 3:
        return []
    count = int(rng.integers(1, 5))
    start = int(rng.integers(0, max(1, len(words) - count)))
    return [" ".join(words[start : start + count])[:_QUERY_CHARACTERS]]


def _ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
