"""Collaborative filtering: alternating least squares, and which products the same visitors turn to."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from training.recommendation.candidates import Als
from training.recommendation.interactions import Interactions
from training.recommendation.neighbours import found_at, heaviest, shrunk

_SEED = 0
_WINDOW = 50  # events of a history between two that still count as a pair
_EACH_LATER = 0.8  # of the anchor before it, in the histories that judge settings
_JUDGES = 4_000
_DEPTH = 50


@dataclass(frozen=True)
class AlsSettings:
    """An event's confidence is 1 + alpha. On Beauty alpha 10 found a third more of the held-out events than 1."""

    factors: int = 128
    regularization: float = 1.0
    alpha: float = 10.0
    iterations: int = 12


def train_als(interactions: Interactions, settings: AlsSettings | None = None) -> Als:
    """Implicit feedback (Hu, Koren, Volinsky 2008), by the `implicit` library; on one thread, so the same every time.

    Factors are zero for products without events.
    """
    settings = settings or AlsSettings()
    known = np.flatnonzero(interactions.product_counts())
    factors = np.zeros((len(interactions.product_ids), settings.factors), np.float32)
    if len(known):
        place = np.zeros(len(factors), np.int64)
        place[known] = np.arange(len(known))
        owners = np.repeat(np.arange(len(interactions.bounds) - 1), np.diff(interactions.bounds))
        # Events of one visitor with one product add up.
        confidence = sparse.csr_matrix(
            (np.full(len(owners), settings.alpha, np.float32), (owners, place[interactions.products])),
            shape=(len(interactions.bounds) - 1, len(known)),
        )
        confidence.data += 1.0
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=settings.factors,
                regularization=settings.regularization,
                iterations=settings.iterations,
                num_threads=1,
                random_state=_SEED,
            )
            model.fit(confidence, show_progress=False)
        factors[known] = model.item_factors
    return Als(factors, settings.regularization, settings.alpha)


@dataclass(frozen=True)
class ItemItemSettings:
    """Pairs of a history count 1 for the later product as neighbour of the earlier and `backward` the other way.

    They are divided by counts of the anchor and of the neighbour to a power: the less, the more popular neighbours.
    """

    backward: float = 1.0
    anchor_power: float = 0.5
    power: float = 0.3


# Order says much in some shops (accessories follow what they belong to) and little in others: it is measured.
CHOICES = tuple(
    ItemItemSettings(backward, *powers)
    for backward, powers in product((0.3, 1.0), ((0.4, 0.4), (0.5, 0.3), (0.5, 0.2)))
)


def item_item(interactions: Interactions, settings: ItemItemSettings | None = None) -> sparse.csr_array:
    """(P, P) float32, at most 100 neighbours a row; without `settings` by those that find most last events."""
    chosen = settings or choose_item_item(interactions)
    return _neighbours(_followers(interactions), interactions.product_counts(), chosen)


def choose_item_item(interactions: Interactions) -> ItemItemSettings:
    """The choice with the best NDCG@50 of last events that it has not seen; the default where there are none."""
    before = interactions.without_last(1)
    judged = np.flatnonzero(np.diff(interactions.bounds) > 1)
    if not len(judged):
        return ItemItemSettings()
    judged = np.random.default_rng(_SEED).permutation(judged)[:_JUDGES]
    histories = [interactions.products[interactions.bounds[one] : interactions.bounds[one + 1]] for one in judged]
    targets = np.array([history[-1] for history in histories])
    lengths = np.array([len(history) - 1 for history in histories])
    ages = np.concatenate([np.arange(length - 1, -1, -1) for length in lengths])
    anchors = sparse.csr_array(
        (
            (_EACH_LATER**ages).astype(np.float32),
            (np.repeat(np.arange(len(judged)), lengths), np.concatenate([history[:-1] for history in histories])),
        ),
        shape=(len(judged), len(interactions.product_ids)),
    )
    followers, counts = _followers(before), before.product_counts()

    def gain(settings: ItemItemSettings) -> float:
        places = found_at((anchors @ _neighbours(followers, counts, settings)).tocsr(), targets, anchors)
        return float(np.where(places < _DEPTH, 1 / np.log2(places + 2), 0).mean())

    return max(CHOICES, key=gain)


def _neighbours(
    followers: sparse.csr_array, counts: np.ndarray[tuple[int], np.dtype[np.int64]], settings: ItemItemSettings
) -> sparse.csr_array:
    pairs = (followers + settings.backward * followers.T).tocsr()
    return heaviest(shrunk(pairs, counts, settings.anchor_power, settings.power))


def _followers(interactions: Interactions) -> sparse.csr_array:
    """(P, P): how often the column's product came after the row's, histories of n events counting 1 / sqrt(n).

    Two events at one time count half each way.
    """
    products, times, size = interactions.products, interactions.times, len(interactions.product_ids)
    lengths = np.repeat(np.diff(interactions.bounds), np.diff(interactions.bounds))
    weights = lengths.astype(np.float32) ** -0.5
    found = sparse.csr_array((size, size), dtype=np.float32)
    for gap in range(1, min(_WINDOW, int(lengths.max(initial=1)) - 1) + 1):
        same = interactions.visitors[gap:] == interactions.visitors[:-gap]
        first, second, weight = products[:-gap][same], products[gap:][same], weights[gap:][same].copy()
        together = (times[gap:] == times[:-gap])[same]
        weight[together] /= 2
        rows = np.concatenate([first, second[together]])
        columns = np.concatenate([second, first[together]])
        values = np.concatenate([weight, weight[together]])
        found = found + sparse.csr_array((values, (rows, columns)), shape=(size, size))
    return found
