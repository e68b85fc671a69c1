"""The engine for baskets: sources as of the split, and their fusion learned on the baskets of the days before it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.recommendation.data import Task
from evaluation.recommendation.next_basket import DAY_S, basket_tasks, between
from training.recommendation.candidates import Candidates, Sources, candidates
from training.recommendation.fusion import Fusion, lists_of, train_fusion
from training.recommendation.interactions import Integers, Interactions
from training.recommendation.recommender import RecommenderSettings, learned_sources
from training.recommendation.sequence import train_sequence
from training.recommendation.sequence_model import SequenceModel

_ANCHORS = 2
_EACH = 3  # products of a basket that are positives: what a basket of fifty says is not worth fifty others
_SEED = 1


@dataclass(frozen=True)
class BasketEngine:
    """Sources, the model of sequences among them, and the fusion over them."""

    sources: Sources
    sequence: SequenceModel
    fusion: Fusion

    def ranked(self, task: Task, count: int, depth: int = 100) -> Integers:
        """(n, count) products, best first, -1 where there are fewer."""
        found = np.full((len(task), count), -1, np.int64)
        for row, one in enumerate(candidates(self.sources, task.histories, depth)):
            best = np.argsort(-self.fusion.scores(one.features), kind="stable")[:count]
            found[row, : len(best)] = one.products[best]
        return found


def train_basket_engine(
    known: Interactions, days: float, settings: RecommenderSettings, report: Callable[[str], None]
) -> BasketEngine:
    """Learns from `known` alone: fusion on first baskets of its last `days`, with sources that end before them.

    The sequence model ends there too, and serves as it is. Raises TrainingError where there is too little.
    """
    end_s = float(known.times.max()) + 1
    middle_s = end_s - days * DAY_S
    early, late = between(known, -np.inf, middle_s), between(known, middle_s, end_s)
    sequence = train_sequence(_once_each(early), settings.sequence, report)
    sources = learned_sources(early, early, sequence, settings, None)
    report("fusion: candidates of earlier baskets")
    generator = np.random.default_rng(_SEED)
    tasks = basket_tasks(early, late, _ANCHORS)
    asked = [
        (history, generator.permutation(relevant)[:_EACH])
        for task in tasks
        for history, relevant in zip(task.histories, task.relevant, strict=True)
    ]
    asked = [asked[place] for place in generator.permutation(len(asked))]
    found = candidates(sources, [history for history, _ in asked], settings.fusion.depth)
    positives = [relevant for _, relevant in asked]
    lists = lists_of(
        _each_again(found, positives),
        [int(one) for own in positives for one in own],
        [1.0 for own in positives for _ in own],
        settings.fusion.max_lists,
    )
    report(f"fusion of {len(lists):,} lists")
    fusion = train_fusion(lists, settings.fusion, report)
    return BasketEngine(learned_sources(known, known, sequence, settings, None), sequence, fusion)


def _each_again(found: Iterator[Candidates], positives: Sequence[Integers]) -> Iterator[Candidates]:
    for one, own in zip(found, positives, strict=True):
        for _ in own:
            yield one


def _once_each(purchases: Interactions) -> Interactions:
    """Each product of a visitor where it came last."""
    size = len(purchases.product_ids)
    keys = purchases.visitors * size + purchases.products
    _, last = np.unique(keys[::-1], return_index=True)
    kept = np.zeros(len(keys), np.bool_)
    kept[len(keys) - 1 - last] = True
    return purchases.where(kept)
