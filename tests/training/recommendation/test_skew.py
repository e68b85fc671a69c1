"""Serving and training read the same of a visitor: features of one bundle, catalogue and history, made by both."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gateway.recommendation.columns import Evidence, columns_of
from gateway.recommendation.features import FEATURES, features
from gateway.recommendation.fusion import Fusion
from gateway.recommendation.history_vector import HistoryVectors
from gateway.recommendation.taste import taste_of
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.training.recommendation.conftest import TrainedShop
from tests.training.recommendation.made_shop import write_lines
from training.recommendation.candidates import candidates
from training.recommendation.event_files import read_visitor_events
from training.recommendation.histories import histories_of
from training.sources.catalogue import read_products
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import InputType, RelatedQuery, Relation, VisitorAction
from vitrine.product import Product
from vitrine.product_text import embedding_text
from vitrine.user_event import EventType
from vitrine.vectors import FloatArray

# What events do not record, so that fusion keeps its stated weights for them.
_OF_THE_CALL_ALONE = {"fresh", "searched", "searched_place", "profile", "profile_place", "profile_fit"} | {
    "popular_in_country",
    "trending",
    "not_in_stock",
    "goes_with",
}
_COMPARED = [place for place, name in enumerate(FEATURES) if name not in _OF_THE_CALL_ALONE]
Actions = tuple[tuple[str, EventType], ...]
_HISTORIES: tuple[Actions, ...] = (
    (("p0-1", EventType.VIEW_ITEM),),
    (
        ("p1-2", EventType.VIEW_ITEM),
        ("p0-3", EventType.PURCHASE),
        ("p1-2", EventType.ADD_TO_CART),
        ("p3-4", EventType.VIEW_ITEM),
        ("new", EventType.VIEW_ITEM),
    ),
)


class Served:
    """The engines with the shop's catalogue and the trained bundle."""

    def __init__(self, embedder: EmbedderEngine, retriever: RetrieverEngine, products: list[Product]) -> None:
        self.embedder = embedder
        self.retriever = retriever
        self.products = {product.id: product for product in products}


@pytest.fixture
async def served(trained_shop: TrainedShop, tmp_path: Path) -> AsyncIterator[Served]:
    budget = ComputeBudget(threads=1)
    folder = str(trained_shop.folder)
    embedder = await EmbedderEngine.open(EmbedderSettings(bundle=trained_shop.embedder, recommender=folder), budget)
    retriever = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path, recommender=folder))
    await embedder.self_test()
    products = list(read_products([trained_shop.catalogue], None, pytest.fail))
    texts = [embedding_text(product) for product in products]
    embeddings = await embedder.embed(texts, input_type=InputType.DOCUMENT, deadline=_soon())
    digest = embeddings.model_digest
    await retriever.upsert_products(products, embeddings.vectors, model_digest=digest, deadline=_soon())
    yield Served(embedder, retriever, products)
    await retriever.close()
    await embedder.close()
    await budget.close()


@pytest.mark.parametrize("history", _HISTORIES)
async def test_features_are_the_same(
    trained_shop: TrainedShop, served: Served, history: Actions, tmp_path: Path
) -> None:
    by_serving = await _served_features(trained_shop, served, history)
    by_training = _trained_features(trained_shop, history, tmp_path)
    ids = list(by_serving)
    assert ids == list(by_training)
    assert len(ids) == len(served.products) - len({name for name, _ in history})
    one, other = np.stack([*by_serving.values()]), np.stack([*by_training.values()])
    shown = np.asarray(one[:, _COMPARED].any(axis=0))
    for place, is_shown in zip(_COMPARED, shown, strict=True):
        np.testing.assert_allclose(one[:, place], other[:, place], rtol=2e-3, atol=2e-3, err_msg=FEATURES[place])
        assert is_shown or FEATURES[place] in ("seen", "new"), FEATURES[place]


async def test_the_gateway_scores_as_the_model_that_was_trained(trained_shop: TrainedShop, served: Served) -> None:
    table = np.stack([*(await _served_features(trained_shop, served, _HISTORIES[1])).values()])
    fusion = Fusion(trained_shop.folder)
    contributions = await fusion.contributions(table)
    expected = trained_shop.trained.parts.fusion.scores(table)
    np.testing.assert_allclose(contributions.sum(axis=1), expected, rtol=1e-3, atol=1e-3)


async def _served_features(shop: TrainedShop, served: Served, history: Actions) -> dict[str, FloatArray]:
    now = datetime.now(UTC)
    actions = [
        VisitorAction(kind, now - timedelta(minutes=age), name) for age, (name, kind) in enumerate(reversed(history))
    ]
    taste = taste_of(actions)
    vectors = HistoryVectors(served.embedder, served.retriever)
    read = await vectors.read(taste.actions, _soon())
    assert read is not None
    vector, digest = await vectors.encode(read, _soon())
    query = RelatedQuery(
        anchors=taste.liked,
        history_vector=vector,
        recommender_digest=digest,
        relations=tuple(Relation),
        scored_ids=tuple(served.products),
        excluded_ids=tuple(sorted(taste.bought | taste.seen)),
        depth=100,
    )
    related = await served.retriever.retrieve_related(query, deadline=_soon())
    ids = tuple(served.products)
    weights = dict(zip(ids, shop.trained.parts.sources.popular.tolist(), strict=True))
    weights = {name: weight for name, weight in weights.items() if weight > 0}
    liked = [served.products[anchor.product_id] for anchor in taste.liked]
    categories = list(dict.fromkeys(product.categories[0] for product in liked))[:3]
    evidence = Evidence(
        anchors=[(product, anchor.weight) for product, anchor in zip(liked, taste.liked, strict=True)],
        popular=weights,
        popular_in_category={name: _relative(weights, served.products, name) for name in categories},
    )
    table = features(columns_of(related, evidence, now), len(taste.liked), len(related.products))
    return {one.id: row for one, row in zip(related.products, table, strict=True)}


def _relative(weights: dict[str, float], products: dict[str, Product], category: str) -> dict[str, float]:
    own = {name: weight for name, weight in weights.items() if products[name].categories[0] == category}
    return {name: weight / max(own.values()) for name, weight in own.items()}


def _trained_features(shop: TrainedShop, actions: Actions, folder: Path) -> dict[str, FloatArray]:
    rows = [
        {
            "event_type": kind.value,
            "visitor_id": "ana",
            "event_time": f"2026-01-01T00:{minute:02}:00Z",
            "product_ids": [name],
        }
        for minute, (name, kind) in enumerate(actions)
    ]
    ids = [product.id for product in read_products([shop.catalogue], None, pytest.fail)]
    events = read_visitor_events([write_lines(folder / "ana.jsonl", rows)], ids, pytest.fail)
    (found,) = candidates(shop.trained.parts.sources, [*histories_of(events.interactions).values()], 100)
    by_id = {ids[product]: row for product, row in zip(found.products, found.features, strict=True)}
    return dict(sorted(by_id.items()))


def _soon() -> Deadline:
    return Deadline.after(60.0)
