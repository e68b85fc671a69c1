"""How well orders do on held-out lists: nDCG@10 of the retriever's order and of each score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.e5_weights import Floats
from training.final_score import ndcg_10
from training.ranker_data import RankerData
from vitrine.paired_test import sign_flip_p_value
from vitrine.text import detect_language

RETRIEVAL, FINAL = "retrieval", "final"


@dataclass(frozen=True)
class Figures:
    """Mean nDCG@10 by order ("retrieval" first, "final" last), over `queries` held-out queries.

    `origin` says whether labels or the catalogue alone say what is relevant; unlabelled candidates of a labelled list
    are left out. `by_language` holds the same for the queries of a language; `p_value` is that of final against
    retrieval, paired by query.
    """

    queries: int
    origin: str
    ndcg_10: Mapping[str, float]
    by_language: Mapping[str, Mapping[str, float]]
    p_value: float

    @property
    def beats_retrieval(self) -> bool:
        return self.ndcg_10[FINAL] > self.ndcg_10[RETRIEVAL]

    def described(self) -> dict[str, Any]:
        """For the log and the bundle's card, rounded."""
        return {
            "queries": self.queries,
            "relevance_from": self.origin,
            "ndcg_10": _rounded(self.ndcg_10),
            "ndcg_10_by_language": {name: _rounded(means) for name, means in self.by_language.items()},
            "p_value": round(self.p_value, 4),
        }


def figures(data: RankerData, scores: Mapping[str, Sequence[Floats]]) -> Figures:
    """Measure the retriever's order, the cosine's, and each of `scores`, which hold (n,) for each measured list."""
    lists = [data.lists[number] for number in data.measured]
    orders: dict[str, Sequence[Floats]] = {
        RETRIEVAL: [-np.array(served.places, dtype=np.float32) for served in lists],
        "dense": [np.array(served.dense, dtype=np.float32) for served in lists],
        **scores,
    }
    values: dict[str, list[float]] = {name: [] for name in orders}
    for at, (served, number) in enumerate(zip(lists, data.measured, strict=True)):
        judged = np.array(served.labelled) if served.origin == "labels" else np.ones(len(served), dtype=np.bool_)
        for name, by_list in orders.items():
            values[name].append(ndcg_10(by_list[at][judged], data.relevance[number][judged]))
    languages = np.array([detect_language(served.query) for served in lists])
    gained = np.array(values[FINAL]) - np.array(values[RETRIEVAL])
    return Figures(
        queries=len(lists),
        origin=" and ".join(sorted({served.origin for served in lists}, reverse=True)),
        ndcg_10=_means(values, np.ones(len(lists), dtype=np.bool_)),
        by_language={str(name): _means(values, languages == name) for name in sorted(set(languages))},
        p_value=sign_flip_p_value(gained[~np.isnan(gained)]),
    )


def _means(values: Mapping[str, Sequence[float]], chosen: Floats) -> dict[str, float]:
    return {name: float(np.nanmean(np.array(each)[chosen])) for name, each in values.items()}


def _rounded(means: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in means.items()}
