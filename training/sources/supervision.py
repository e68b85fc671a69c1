"""Training pairs and lists from judgements and events, streamed query by query."""

import random
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from training.sources.clicks import click_evidence
from training.sources.files import Sources
from training.sources.labels import Chosen, Label

NEGATIVES = 8  # at most, of one pair


@dataclass(frozen=True)
class TrainingPair:
    """A query and a product's text with a label in [0, 1]; texts normalised.

    `negatives` are texts that answer the query worse. Pairs of one `group` may answer each other's queries, so none is
    the other's negative. `product_id` is "" for a made product.
    """

    query: str
    product_id: str
    document: str
    label: float
    weight: float
    negatives: tuple[str, ...]
    group: str


@dataclass(frozen=True)
class TrainingList:
    """A query's products, best first, with their relevance and weights, both in [0, 1]."""

    query: str
    product_ids: tuple[str, ...]
    documents: tuple[str, ...]
    relevance: tuple[float, ...]
    weights: tuple[float, ...]


def training_lists(
    sources: Sources,
    *,
    queries: Chosen | None = None,
    labels: AbstractSet[Label] | None = None,
    judged: bool = True,
    clicked: bool = True,
) -> Iterator[TrainingList]:
    """A list for each judged query, then one for each query with actions, two products or more each.

    Judged: relevance is the grade between the lowest and the highest of all. Clicked: a product's mean gain of a
    showing, corrected for position, relative to the list's best; its weight is how likely it was examined at all.
    `queries` chooses; with `labels` (of draw_labels) only those are known, and of a clicked query what nobody took.
    """
    if judged:
        yield from _judged(sources, queries, labels, least=2)
    if clicked:
        yield from (one for one, _ in _clicked(sources, queries, labels, least=2, skipped_only=False))


def training_pairs(
    sources: Sources, *, queries: Chosen | None = None, labels: AbstractSet[Label] | None = None
) -> Iterator[TrainingPair]:
    """A pair for each relevant product of each query, chosen as in training_lists.

    Judged: weight 1; negatives are products of at most half the relevance. Clicked: the weight is the sum of gains,
    corrected for position; negatives were seen and skipped. A query without a relevant product gives pairs of label 0.
    """
    for one in _judged(sources, queries, labels, least=1):
        yield from _pairs(one, (1.0,) * len(one.product_ids), below=0.5)
    for one, gains in _clicked(sources, queries, labels, least=1, skipped_only=True):
        yield from _pairs(one, gains, below=0.0)


def _pairs(one: TrainingList, weights: Sequence[float], below: float) -> Iterator[TrainingPair]:
    rng = random.Random(one.query)
    best = max(one.relevance)
    for product, document, label, weight in zip(one.product_ids, one.documents, one.relevance, weights, strict=True):
        if label == 0.0 and best > 0.0:
            continue
        worse = [
            text
            for text, other in zip(one.documents, one.relevance, strict=True)
            if other <= below * label and other < label
        ]
        negatives = tuple(rng.sample(worse, k=min(NEGATIVES, len(worse))))
        yield TrainingPair(one.query, product, document, label, weight, negatives, one.query)


def _judged(
    sources: Sources, queries: Chosen | None, labels: AbstractSet[Label] | None, least: int
) -> Iterator[TrainingList]:
    low, high = sources.store.connection.execute("SELECT MIN(grade), MAX(grade) FROM label").fetchone()
    rows = sources.store.rows("SELECT query, product, grade FROM label ORDER BY query, grade DESC, product")
    for query, group in groupby(rows, key=itemgetter(0)):
        if queries is not None and not queries(query):
            continue
        known = [
            (product, (grade - low) / (high - low) if high > low else 1.0)
            for _, product, grade in group
            if labels is None or Label(True, query, product) in labels
        ]
        if len(known) >= least:
            products, relevance = zip(*known, strict=True)
            yield _list(sources, query, products, relevance, (1.0,) * len(known))


def _clicked(
    sources: Sources, queries: Chosen | None, labels: AbstractSet[Label] | None, least: int, skipped_only: bool
) -> Iterator[tuple[TrainingList, tuple[float, ...]]]:
    """Lists, each with its products' gains; of products that nobody took, all or only those seen and skipped."""
    if sources.examination is None:
        return
    for query, evidence in click_evidence(sources.store, sources.examination, sources.weights):
        if queries is not None and not queries(query):
            continue
        known = {
            product: one
            for product, one in evidence.items()
            if (
                labels is None or Label(False, query, product) in labels
                if one.gain
                else one.skipped or not skipped_only
            )
        }
        if len(known) < least or not any(one.gain for one in known.values()):
            continue
        best = max(one.mean_gain for one in known.values())
        ordered = sorted(known.items(), key=lambda entry: (-entry[1].mean_gain, entry[0]))
        relevance = [one.mean_gain / best for _, one in ordered]
        weights = [1.0 - one.unseen for _, one in ordered]
        products = [product for product, _ in ordered]
        yield _list(sources, query, products, relevance, weights), tuple(one.gain for _, one in ordered)


def _list(
    sources: Sources, query: str, products: Sequence[str], relevance: Sequence[float], weights: Sequence[float]
) -> TrainingList:
    documents = sources.catalogue.documents(sources.catalogue.numbers(products))
    return TrainingList(query, tuple(products), tuple(documents), tuple(relevance), tuple(weights))
