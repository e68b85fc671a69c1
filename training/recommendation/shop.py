"""A recommender from a shop's files: catalogue and events read, texts embedded, all parts trained, bundle written."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gateway.recommendation.columns import first_category
from training.e5_weights import Floats
from training.errors import NothingToLearn, TrainingError
from training.recommendation.bundle import write_bundle
from training.recommendation.candidates import ProductFacts
from training.recommendation.event_files import VisitorEvents, read_visitor_events
from training.recommendation.recommender import Parts, RecommenderSettings, train_parts
from training.recommendation.text_vectors import text_vectors
from training.sources.catalogue import read_catalogue, read_products
from training.sources.events import read_events
from training.sources.examination import estimate_examination
from training.sources.reading import event_paths
from training.sources.store import SourceStore, open_store
from training.whole_folder import check_replaceable
from vitrine.bundle import MANIFEST
from vitrine.product import Product
from vitrine.recommender_bundle import RecommenderBundle

# With three products: one to start from, one to learn and one to judge by. Fewer teach nothing that holds for others.
MIN_VISITORS = 50
_MOST_WEIGHT = 10.0  # of one list: an inverse propensity beyond it is mostly noise

Report = Callable[[str], None]


@dataclass(frozen=True)
class RecommenderPlan:
    """What `train_recommender` is to do. `vectors`: folder where text vectors are kept between runs."""

    catalogue: tuple[Path, ...]
    events: tuple[Path, ...]
    embedder: Path
    vectors: Path
    mapping: Path | None = None
    eta: float = 1.0  # examination is 1 / rank ** eta where the log does not tell it
    settings: RecommenderSettings = field(default_factory=RecommenderSettings)
    name: str = "shop-recommender"
    version: str = "1.0.0"


@dataclass(frozen=True)
class Trained:
    """The bundle, its parts, figures of last events held out (NDCG@10 by source), and what was left out or assumed."""

    bundle: RecommenderBundle
    parts: Parts
    figures: dict[str, float]
    notes: tuple[str, ...]


def train_recommender(plan: RecommenderPlan, out: Path, report: Report = lambda line: None) -> Trained:
    """Train and write the bundle to `out`.

    Raises NothingToLearn when there are too few events, and TrainingError when a file or the embedder can't be used;
    nothing is written to `out` then.
    """
    check_replaceable(out, MANIFEST)
    notes: list[str] = []
    products = list({one.id: one for one in read_products(plan.catalogue, plan.mapping, notes.append)}.values())
    ids = tuple(product.id for product in products)
    paths = event_paths(plan.events)
    events = read_visitor_events(paths, ids, notes.append)
    _check_enough(events)
    report(f"{len(products):,} products, {len(events.interactions):,} products in {_visitors(events):,} histories")
    weights = position_weights(plan, paths, events, notes)

    def moved(done: int, count: int) -> None:
        report(f"embedded {done:,} of {count:,} products")

    vectors, embedder = asyncio.run(text_vectors(plan.embedder, products, plan.vectors, moved))
    learned = replace(events.interactions, text_vectors=vectors)
    parts = train_parts(learned, plan.settings, facts_of(products), weights, events.purchases, report)
    figures = {name: parts.fusion.metrics[name] for name in parts.fusion.metrics}
    lineage = {
        "embedder": embedder.digest,
        "catalogue": [path.name for path in plan.catalogue],
        "events": len(events.interactions),
        "visitors": _visitors(events),
        "latest_event_s": float(events.interactions.times.max()),
        "notes": notes,
    }
    bundle = write_bundle(
        out, parts, ids, embedder, name=plan.name, version=plan.version, lineage=lineage, metrics={"held_out": figures}
    )
    return Trained(bundle, parts, figures, tuple(notes))


def facts_of(products: Sequence[Product]) -> ProductFacts:
    """What features read of the catalogue; prices in the currency that most products have."""
    codes = [product.currency_code for product in products if product.price is not None]
    currency = max(sorted(set(codes)), key=codes.count, default="")
    return ProductFacts(
        categories=tuple(map(first_category, products)),
        brands=tuple(product.brand for product in products),
        prices=np.array(
            [
                np.nan if product.price is None or product.currency_code != currency else product.price
                for product in products
            ],
            np.float32,
        ),
    )


def _visitors(events: VisitorEvents) -> int:
    return len(events.interactions.bounds) - 1


def _check_enough(events: VisitorEvents) -> None:
    lengths = np.diff(events.interactions.bounds)
    useful = int(np.count_nonzero(lengths >= 3))
    if useful < MIN_VISITORS:
        raise NothingToLearn(
            f"{useful} visitors did something with three products or more, and {MIN_VISITORS} are needed to learn "
            "from: collect more events; until then the shop is served by text and popularity"
        )


def position_weights(
    plan: RecommenderPlan, paths: Sequence[Path], events: VisitorEvents, notes: list[str]
) -> Floats | None:
    """(n,) inverse propensities of the interactions, mean 1; None where no event says at which position it was."""
    if not events.positions.any():
        return None

    def fill(store: SourceStore) -> None:
        read_catalogue(store, plan.catalogue, plan.mapping)
        try:
            read_events(store, paths)
        except TrainingError:
            # No search led to a click: nothing tells how positions are examined, and 1 / rank ** eta is assumed.
            store.connection.execute("DELETE FROM shown")

    with TemporaryDirectory(prefix="vitrine-recommender-") as folder:
        store = open_store(Path(folder), "", fill)
        examination = estimate_examination(store, plan.eta)
        store.connection.close()
    notes.append(examination.said())
    by_position = {int(one): examination.at(int(one)) for one in np.unique(events.positions)}
    weights = np.array([1.0 / by_position[int(one)] for one in events.positions])
    weights = np.minimum(weights, _MOST_WEIGHT)
    return np.asarray(weights / weights.mean(), np.float32)
