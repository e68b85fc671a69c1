"""A recommender bundle for a made shop: models of their real sizes, whose weights nobody trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.recommendation.features import FEATURES
from training.recommendation.bundle import write_bundle
from training.recommendation.candidates import Als, Sources
from training.recommendation.collaborative import AlsSettings
from training.recommendation.fusion import Fusion
from training.recommendation.fusion_model import WideAndDeep
from training.recommendation.recommender import Parts
from training.recommendation.sequence import SequenceSettings
from training.recommendation.sequence_model import HistoryEncoder, SequenceModel
from vitrine.learned_products import Neighbours
from vitrine.ports import ModelInfo, Relation
from vitrine.vectors import FloatArray

_ITEM_ITEM, _CO_PURCHASE = 50, 20


def write_made_recommender(folder: Path, ids: Sequence[str], vectors: FloatArray, embedder: ModelInfo) -> None:
    """Writes the bundle for products with these (n, text_dim) text vectors."""
    random, count = np.random.default_rng(1), len(ids)
    settings, als = SequenceSettings(), AlsSettings()
    encoder = HistoryEncoder(
        settings.dim, settings.layers, settings.heads, settings.max_history, 0.0, 0.0, np.random.default_rng(1)
    ).eval()
    sequence = SequenceModel(
        encoder=encoder,
        projection=random.normal(size=(embedder.dim, settings.dim)).astype(np.float32),
        bias=np.zeros(settings.dim, np.float32),
        residuals=random.normal(scale=0.1, size=(count, settings.dim)).astype(np.float32),
        text_vectors=vectors,
        temperature=settings.temperature,
        max_history=settings.max_history,
    )
    sources = Sources(
        trained_events=random.integers(1, 100, size=count),
        popular=np.ones(count, np.float32),
        als=Als(random.normal(size=(count, als.factors)).astype(np.float32), als.regularization, als.alpha),
        neighbours={
            Relation.ITEM_ITEM: _neighbours(random, count, _ITEM_ITEM),
            Relation.CO_PURCHASE: _neighbours(random, count, _CO_PURCHASE),
        },
    )
    fusion = Fusion(WideAndDeep(np.ones(len(FEATURES), np.float32)).eval(), 1.0, 0.0, {})
    parts = Parts(sequence, sources, fusion)
    write_bundle(folder, parts, tuple(ids), embedder, name="made", version="1", lineage={}, metrics={})


def _neighbours(random: np.random.Generator, count: int, each: int) -> Neighbours:
    return Neighbours(
        np.arange(count + 1) * each,
        random.integers(count, size=count * each, dtype=np.int32),
        np.tile(np.linspace(1.0, 0.1, each, dtype=np.float32), count),
    )
