"""Co-purchases: what is bought in one basket with a product."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.recommendation.interactions import Interactions
from training.recommendation.neighbours import heaviest, shrunk
from vitrine.v1 import user_event_pb2


@dataclass(frozen=True)
class CoPurchaseSettings:
    """How baskets become weights. A pair of a basket of n products counts 1 / n ** basket_power.

    `power`: counts of the neighbour, to which power they divide; 0 is the share of the anchor's baskets, 1 lift.
    Pairs seen in fewer baskets than `least` say nothing. `doubt`: baskets without the pair added to each anchor's.
    """

    basket_power: float = 0.5
    power: float = 0.2
    least: int = 2
    doubt: float = 5.0


def co_purchases(interactions: Interactions, settings: CoPurchaseSettings | None = None) -> sparse.csr_array:
    """(P, P) float32, at most 100 neighbours a row: what baskets with the row's product hold besides.

    A basket is what one visitor buys at one time. Zero everywhere where nothing was bought with another product.
    """
    settings = settings or CoPurchaseSettings()
    size = len(interactions.product_ids)
    bought = interactions.where(interactions.event_types == user_event_pb2.EVENT_TYPE_PURCHASE)
    if not len(bought):
        return sparse.csr_array((size, size), dtype=np.float32)
    later = (np.diff(bought.visitors, prepend=-1) != 0) | (np.diff(bought.times, prepend=-1) != 0)
    baskets = np.cumsum(later) - 1
    ones = np.ones(len(baskets), np.float32)
    holds = sparse.csr_array((ones, (baskets, bought.products)), shape=(int(baskets[-1]) + 1, size))
    holds.data[:] = 1  # a product twice in a basket is in it once
    sizes = holds.sum(axis=1)
    pairs = (holds.T @ sparse.diags_array(sizes**-settings.basket_power) @ holds).tocsr()
    pairs = pairs.multiply((holds.T @ holds) >= settings.least).tocsr()
    counts = holds.sum(axis=0).astype(np.int64)
    weighted = shrunk(pairs, counts, 0.0, settings.power)
    return heaviest((sparse.diags_array(1 / (counts + settings.doubt)) @ weighted).tocsr().astype(np.float32))
