"""The data sets by name, and any shop in a folder; a new name is a reader and a line here."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluation.recommendation.basket_evaluation import evaluate_baskets
from evaluation.recommendation.beauty import read_beauty
from evaluation.recommendation.evaluation import as_event_counts, evaluate_next_product
from evaluation.recommendation.games import read_games
from evaluation.recommendation.online_retail import read_online_retail
from evaluation.recommendation.result import RecommendationResult
from evaluation.recommendation.shop_folder import read_recommendation_folder
from training.e5_weights import Floats
from training.recommendation.recommender import RecommenderSettings
from training.recommendation.sequence import SequenceSettings
from training.recommendation.text_vectors import text_vectors
from vitrine.errors import invalid
from vitrine.product import Product

NAMES = ("beauty", "games", "online_retail")
# Of the time given, the sequence model's; the rest is collaborative filtering, candidates and fusion.
_SEQUENCE_SHARE = 0.6
_BASKETS_HALF_LIFE_DAYS = 14.0


def evaluate(
    dataset: str,
    data_dir: Path | None,
    *,
    embedder: Path,
    mapping: Path | None,
    keep_vectors: Path | None,
    max_minutes: float,
    baselines_only: bool,
    test_days: float,
    report: Callable[[str], None],
) -> RecommendationResult:
    """Reads, trains, asks and compares. Raises InvalidArgument or TrainingError naming what must be put right."""
    with TemporaryDirectory(prefix="vitrine-evaluation-") as scratch:

        def vectors_of(products: Sequence[Product]) -> Floats | None:
            if baselines_only:  # They read no texts, and to embed these takes most of an evaluation's time.
                return None

            def moved(done: int, count: int) -> None:
                report(f"embedded {done:,} of {count:,} products")

            kept = keep_vectors or Path(scratch)
            return asyncio.run(text_vectors(embedder, products, kept, moved))[0]

        settings = RecommenderSettings(sequence=SequenceSettings(max_minutes=_SEQUENCE_SHARE * max_minutes))
        if dataset not in NAMES:
            if not Path(dataset).is_dir():
                fault = f"{dataset!r} is not known; choose from {', '.join(NAMES)}, or give a folder"
                raise invalid("dataset", f"{fault} with products and events")
            data = read_recommendation_folder(Path(dataset), vectors_of, mapping)
            return evaluate_next_product(data, settings, report, baselines_only=baselines_only)
        if mapping is not None:
            raise invalid("--mapping", f"is for a folder of your own, and {dataset} has a reader of its own")
        if data_dir is None:
            raise invalid("--data-dir", f"is missing; it names the folder that holds {dataset}")
        if dataset == "online_retail":
            transactions = read_online_retail(data_dir)
            return evaluate_baskets(
                transactions,
                vectors_of(transactions.products),
                replace(settings, half_life_days=_BASKETS_HALF_LIFE_DAYS),
                report,
                test_days=test_days,
                baselines_only=baselines_only,
            )
        data = read_beauty(data_dir) if dataset == "beauty" else read_games(data_dir, vectors_of)
        return evaluate_next_product(data, as_event_counts(settings), report, baselines_only=baselines_only)
