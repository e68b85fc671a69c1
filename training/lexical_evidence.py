"""A stand-in for the retriever's lexical score where no index is at hand: the share of a query's words found."""

from collections.abc import Sequence

import numpy as np
import rjieba

from training.e5_weights import Floats


def lexical_scores(query: str, documents: Sequence[str]) -> Floats:
    """Scores (n,) in [0, 1], divided by the best of the list as the retriever divides by the query's best."""
    words = _words(query)
    found = np.array([len(words & _words(document)) for document in documents], dtype=np.float32)
    return found / max(float(found.max()), 1.0)


def _words(text: str) -> set[str]:
    return {word for word in rjieba.cut_for_search(text) if word.strip()}
