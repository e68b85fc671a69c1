"""Trains every part of a recommender: what finds candidates, and the fusion that ranks them.

Time-honest: fusion learns from the last event of each visitor, over candidates of sources that have not seen these
events; the sources that serve are then learned from all events.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from gateway.events.popularity import WEIGHTS
from training.e5_weights import Floats
from training.recommendation.candidates import Als, Candidates, ProductFacts, Sources, candidates
from training.recommendation.co_purchase import co_purchases
from training.recommendation.collaborative import item_item, train_als
from training.recommendation.fusion import Fusion, FusionSettings, Lists, lists_of, train_fusion
from training.recommendation.histories import EVENT_TYPES, NOTHING_KNOWN, History, basket_of, histories_of
from training.recommendation.interactions import Integers, Interactions
from training.recommendation.sequence import SequenceSettings, train_sequence
from training.recommendation.sequence_model import SequenceModel
from vitrine.learned_products import Neighbours
from vitrine.ports import Relation
from vitrine.v1 import user_event_pb2

Report = Callable[[str], None]
_PURCHASE = int(user_event_pb2.EVENT_TYPE_PURCHASE)


@dataclass(frozen=True)
class RecommenderSettings:
    """How all parts learn. `half_life_days` is that of popularity; None: an event counts the same whenever it was."""

    sequence: SequenceSettings = field(default_factory=SequenceSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    half_life_days: float | None = 7.0


@dataclass(frozen=True)
class Parts:
    """A trained recommender: `sources` as of all events, and the fusion over them."""

    sequence: SequenceModel
    sources: Sources
    fusion: Fusion


def train_parts(
    interactions: Interactions,
    settings: RecommenderSettings,
    facts: ProductFacts | None = None,
    weights: Floats | None = None,
    purchases: Interactions | None = None,
    progress: Report = lambda line: None,
) -> Parts:
    """All parts of interactions with each product once in a history. Raises TrainingError where they are too few.

    `weights` (n,) of the interactions' rows: how much it counts that the product of the row was turned to.
    `purchases`: the same visitors' purchases, those of one time being a basket; None: they are among the interactions.
    """
    before = interactions.without_last(1)
    baskets = interactions if purchases is None else purchases
    sequence = train_sequence(interactions, settings.sequence, progress)
    assert sequence.before_last is not None
    progress("collaborative filtering and co-purchases, without the last events")
    early = learned_sources(before, _without_last_of(interactions, baskets), sequence.before_last, settings, facts)
    progress("candidates of the last events")
    lists = last_event_lists(interactions, before, baskets, early, settings.fusion, weights)
    progress(f"fusion of {len(lists):,} lists, of {lists.asked:,} last events")
    fusion = train_fusion(lists, settings.fusion, progress)
    progress("collaborative filtering and co-purchases, with all events")
    return Parts(sequence, learned_sources(interactions, baskets, sequence, settings, facts), fusion)


def learned_sources(
    interactions: Interactions,
    baskets: Interactions,
    sequence: SequenceModel,
    settings: RecommenderSettings,
    facts: ProductFacts | None,
) -> Sources:
    """The sources as of the last of the interactions, in the precision that a bundle keeps."""
    als = train_als(interactions)
    related = {Relation.ITEM_ITEM: item_item(interactions), Relation.CO_PURCHASE: co_purchases(baskets)}
    return Sources(
        trained_events=interactions.product_counts(),
        popular=popular_weights(interactions, settings.half_life_days),
        behaviour=sequence.product_vectors(),
        encode=lambda histories: sequence.encode([history.items for history in histories]),
        als=Als(als.factors.astype(np.float16).astype(np.float32), als.regularization, als.alpha),
        neighbours={name: neighbours_of(weights) for name, weights in related.items() if weights.nnz},
        text=interactions.text_vectors,
        facts=facts,
    )


def popular_weights(interactions: Interactions, half_life_days: float | None) -> Floats:
    """(P,) weights beside the heaviest, by type of event and age at the last one, as the event store counts."""
    by_type = np.zeros(max(EVENT_TYPES) + 1)
    for number, kind in EVENT_TYPES.items():
        by_type[number] = WEIGHTS.get(kind, 0)
    weights = by_type[interactions.event_types]
    if half_life_days is not None and len(interactions):
        ages = (interactions.times.max() - interactions.times) / 86_400
        weights = weights * 0.5 ** (ages / half_life_days)
    found = np.bincount(interactions.products, weights, minlength=len(interactions.product_ids))
    return (found / max(float(found.max(initial=0.0)), 1e-12)).astype(np.float32)


def neighbours_of(weights: sparse.csr_array) -> Neighbours:
    """Rows (anchors) of a (P, P) matrix as neighbours, heaviest first; entries that are not above 0 are none."""
    rows = weights.tocoo()
    kept = rows.data > 0
    owners, products = rows.coords[0][kept].astype(np.int64), rows.coords[1][kept].astype(np.int64)
    values = rows.data[kept].astype(np.float32)
    order = np.lexsort((products, -values, owners))
    starts = np.zeros(weights.shape[0] + 1, np.int64)
    np.cumsum(np.bincount(owners, minlength=weights.shape[0]), out=starts[1:])
    return Neighbours(starts, products[order], values[order])


def last_event_lists(
    interactions: Interactions,
    before: Interactions,
    baskets: Interactions,
    early: Sources,
    settings: FusionSettings,
    weights: Floats | None = None,
) -> Lists:
    """Lists whose positive is each visitor's last product, drawn in no order.

    Where the last product was bought with others, one more list asks what goes with these; and some visitors come once
    more as if nothing were known of them.
    """
    known = histories_of(before)
    generator = np.random.default_rng(settings.seed)
    last = generator.permutation(interactions.bounds[1:] - 1)
    asked = [(row, known.get(int(interactions.visitors[row]), NOTHING_KNOWN)) for row in last]
    asked += [(row, NOTHING_KNOWN) for row in last[: int(len(last) * settings.anonymous)]]
    others = _bought_with(baskets)
    for row in last:
        visitor, product = int(interactions.visitors[row]), int(interactions.products[row])
        if len(anchors := others(visitor, product)):
            asked.append((row, basket_of(anchors, known.get(visitor, NOTHING_KNOWN).left_out)))
    asked = [asked[place] for place in generator.permutation(len(asked))]
    rows = np.array([row for row, _ in asked], np.int64)
    shares = np.ones(len(rows)) if weights is None else weights[rows]
    found = _in_parts(early, [history for _, history in asked], settings.depth)
    return lists_of(found, interactions.products[rows].tolist(), shares.tolist(), settings.max_lists)


def _bought_with(baskets: Interactions) -> Callable[[int, int], Integers]:
    """Gives, for a visitor and a product, what else was in the latest basket that held it; nothing without one."""
    bought = baskets.where(baskets.event_types == _PURCHASE)
    latest: dict[tuple[int, int], float] = {}
    members: dict[tuple[int, float], list[int]] = {}
    rows = zip(bought.visitors.tolist(), bought.products.tolist(), bought.times.tolist(), strict=True)
    for visitor, product, time in rows:
        latest[visitor, product] = time
        members.setdefault((visitor, time), []).append(product)

    def others(visitor: int, product: int) -> Integers:
        basket = members[visitor, latest[visitor, product]] if (visitor, product) in latest else []
        return np.array([one for one in dict.fromkeys(basket) if one != product], np.int64)

    return others


def _without_last_of(interactions: Interactions, baskets: Interactions) -> Interactions:
    """The baskets without each visitor's last product."""
    rows = interactions.bounds[1:] - 1
    last = np.full(max(interactions.visitors.max(initial=-1), baskets.visitors.max(initial=-1)) + 1, -1)
    last[interactions.visitors[rows]] = interactions.products[rows]
    return baskets.where(last[baskets.visitors] != baskets.products)


def _in_parts(sources: Sources, histories: list[History], depth: int) -> Iterator[Candidates]:
    # Lists are enough long before all visitors were asked for, where there are many.
    for start in range(0, len(histories), 1024):
        yield from candidates(sources, histories[start : start + 1024], depth)


def ranked(parts: Parts, histories: list[History], count: int, names: tuple[str, ...]) -> dict[str, Integers]:
    """The first `count` products of each history (n, count), -1 where there are fewer, by each of `names`.

    A name is "engine", the fusion, or a single source's; all rank the same candidates, without those of the history.
    """
    depth = max(count, 100)
    found = {name: np.full((len(histories), count), -1, np.int64) for name in names}
    for row, one in enumerate(candidates(parts.sources, histories, depth)):
        for name in names:
            scores = parts.fusion.scores(one.features) if name == "engine" else one.scores.get(name)
            if scores is not None:
                best = np.argsort(-scores, kind="stable")[:count]
                best = best[np.isfinite(scores[best])]
                found[name][row, : len(best)] = one.products[best]
    return found
