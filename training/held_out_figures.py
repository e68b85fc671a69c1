"""How well a model orders and finds products for queries that were held out of its training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from training.dense_index import DenseIndex, TextEncoder
from training.final_score import ndcg_10
from training.label_free_pairs import label_free_pairs
from training.sources.files import Sources
from training.sources.labels import Chosen
from training.sources.supervision import TrainingList, training_lists

_RELEVANT = 0.5  # relevance from which recall counts a product
_DEPTH = 50
_LABEL_FREE_PAIRS = 400

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class HeldOut:
    """Held-out lists by what they come from; label-free ones have the product that the query was made from alone."""

    lists: dict[str, list[TrainingList]]

    @property
    def decisive(self) -> tuple[str, str]:
        """The origin and figure that decide: judged order, else clicked order, else finding the product."""
        for origin in ("judged", "clicked"):
            if self.lists[origin]:
                return origin, "ndcg_10"
        return "label_free", f"recall_{_DEPTH}"


def held_out_lists(sources: Sources, queries: Chosen, products: Chosen, seed: int) -> HeldOut:
    """The held-out queries' lists with something relevant; label-free queries are made of held-out products."""
    free = label_free_pairs(sources.catalogue, 4 * _LABEL_FREE_PAIRS, seed, products)
    pairs = [one.pair for one in islice(free, _LABEL_FREE_PAIRS)]
    return HeldOut(
        {
            "judged": _orderable(training_lists(sources, queries=queries, clicked=False)),
            "clicked": _orderable(training_lists(sources, queries=queries, judged=False)),
            "label_free": [
                TrainingList(pair.query, (pair.product_id,), (pair.document,), (1.0,), (1.0,)) for pair in pairs
            ],
        }
    )


def measure(held: HeldOut, texts: TextEncoder, index: DenseIndex, sources: Sources) -> Figures:
    """By origin: number of queries, recall_50 in the whole catalogue and, where lists can be ordered, ndcg_10."""
    figures: Figures = {}
    for origin, lists in held.lists.items():
        if not lists:
            continue
        queries = texts.vectors([one.query for one in lists], "query")
        figures[origin] = {"queries": float(len(lists))}
        if origin != "label_free":
            figures[origin]["ndcg_10"] = _mean(
                ndcg_10(
                    index.vectors(sources.catalogue.numbers(one.product_ids)) @ query,
                    np.array(one.relevance, dtype=np.float32),
                )
                for one, query in zip(lists, queries, strict=True)
            )
        _, found = index.find(queries, _DEPTH)
        figures[origin][f"recall_{_DEPTH}"] = _mean(
            _recall(one, set(numbers.tolist()), sources) for one, numbers in zip(lists, found, strict=True)
        )
    return figures


def _recall(one: TrainingList, found: set[int], sources: Sources) -> float:
    best = max(one.relevance)
    relevant = [
        product
        for product, relevance in zip(one.product_ids, one.relevance, strict=True)
        if relevance >= min(_RELEVANT, best)
    ]
    numbers = sources.catalogue.numbers(relevant)
    return len(found.intersection(numbers)) / len(numbers)


def _orderable(lists: Iterable[TrainingList]) -> list[TrainingList]:
    return [one for one in lists if max(one.relevance) > min(one.relevance)]


def _mean(values: Iterable[float]) -> float:
    kept: Sequence[float] = list(values)
    return float(np.mean(kept))
