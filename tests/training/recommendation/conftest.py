"""A recommender trained once of a small made shop, by the code of `vitrine train recommender`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.training.recommendation.made_shop import write_shop
from training.recommendation.fusion import FusionSettings
from training.recommendation.recommender import RecommenderSettings
from training.recommendation.sequence import SequenceSettings
from training.recommendation.shop import RecommenderPlan, Trained, train_recommender


@dataclass(frozen=True)
class TrainedShop:
    """The shop's files, the embedder, the bundle's folder, and what came of training."""

    catalogue: Path
    events: Path
    embedder: Path
    folder: Path
    plan: RecommenderPlan
    trained: Trained


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory, make_embedder_bundle: Callable[..., Path]) -> TrainedShop:
    folder = tmp_path_factory.mktemp("shop")
    catalogue, events = write_shop(folder)
    embedder = make_embedder_bundle()
    plan = RecommenderPlan(
        catalogue=(catalogue,),
        events=(events,),
        embedder=embedder,
        vectors=folder / "vectors",
        settings=RecommenderSettings(
            sequence=SequenceSettings(dim=16, layers=1, dropout=0.1, max_epochs=10, batch_histories=32),
            fusion=FusionSettings(epochs=8),
        ),
    )
    trained = train_recommender(plan, folder / "recommender")
    return TrainedShop(catalogue, events, embedder, folder / "recommender", plan, trained)
