"""Several embedder bundles and recommenders behind one EmbedderService: each call is answered by the model it names."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.clients.embedder import EmbedderClient
from services.embedder.engines import EmbedderEngines
from services.embedder.settings import EmbedderSettings
from tests.recommender_bundle import expected_history, learned_products, write_recommender_bundle
from vitrine.bundle import load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition
from vitrine.ports import Embedder, HistoryItem, InputType
from vitrine.user_event import EventType

WIDTHS = {"first": 8, "second": 6}


def soon() -> Deadline:
    return Deadline.after(60)


@pytest.fixture(scope="module")
def embedders(make_embedder_bundle: Callable[..., Path]) -> dict[str, Path]:
    """Two bundles that differ in what they put before a product's text."""
    return {
        "first": make_embedder_bundle(),
        "second": make_embedder_bundle(prompts={"query": "query: ", "document": "blue "}),
    }


@pytest.fixture(scope="module")
def recommenders(embedders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One for each embedder, of different widths."""
    return {
        name: write_recommender_bundle(
            tmp_path_factory.mktemp("recommender"),
            learned_products(["a"], 32, WIDTHS[name]),
            embedder_digest=load_bundle(folder, "embedder").manifest.digest,
        ).folder
        for name, folder in embedders.items()
    }


@pytest.fixture(scope="module")
async def engines(
    embedders: dict[str, Path], recommenders: dict[str, Path], budget: ComputeBudget
) -> AsyncIterator[EmbedderEngines]:
    settings = EmbedderSettings(
        bundle=embedders["first"],
        further_bundles=(str(embedders["second"]), str(embedders["first"])),
        recommender=str(recommenders["first"]),
        further_recommenders=(str(recommenders["second"]),),
    )
    engines = await EmbedderEngines.open(settings, budget)
    await engines.self_test()
    yield engines
    await engines.close()


@pytest.fixture(params=["one process", "gRPC"])
async def embedder(request: pytest.FixtureRequest, engines: EmbedderEngines, serve: Any, channel_to: Any) -> Embedder:
    if request.param == "one process":
        return engines
    server = await serve(engines)
    await server.serving()
    return EmbedderClient(channel_to(server.port))


async def test_the_model_that_a_call_names_embeds(embedder: Embedder) -> None:
    first, second = (await embedder.get_models(deadline=soon())).digests

    async def embedded(text: str, model_digest: str) -> Any:
        return await embedder.embed([text], input_type=InputType.DOCUMENT, deadline=soon(), model_digest=model_digest)

    by_first, by_second = await embedded("blue watch", first), await embedded("watch", second)
    assert (by_first.model_digest, by_second.model_digest) == (first, second)
    np.testing.assert_allclose(by_first.vectors, by_second.vectors, atol=1e-5)
    unnamed = await embedded("watch", "")
    assert unnamed.model_digest == first
    assert float(unnamed.vectors[0] @ by_second.vectors[0]) < 0.99
    with pytest.raises(FailedPrecondition, match=f"sha256:no is not served here, but {first}, {second}"):
        await embedded("watch", "sha256:no")


async def test_a_history_is_read_by_the_recommender_that_made_its_vectors(embedder: Embedder) -> None:
    served = (await embedder.get_models(deadline=soon())).recommender_digests
    assert len(served) == 2
    history = [[HistoryItem(0, EventType.VIEW_ITEM, 60.0), HistoryItem(1, EventType.VIEW_ITEM, 0.0)]]
    for digest, width in zip(served, WIDTHS.values(), strict=True):
        items = np.eye(2, width, dtype=np.float32)
        encoded = await embedder.encode_history(history, items, recommender_digest=digest, deadline=soon())
        assert encoded.recommender_digest == digest
        np.testing.assert_allclose(encoded.vectors[0], expected_history(items, np.array([60.0, 0.0])), atol=1e-5)
    with pytest.raises(FailedPrecondition, match="sha256:no"):
        await embedder.encode_history(
            history, np.eye(2, 8, dtype=np.float32), recommender_digest="sha256:no", deadline=soon()
        )


async def test_a_recommender_of_no_embedder_here_is_refused_by_both_names(
    embedders: dict[str, Path], recommenders: dict[str, Path], budget: ComputeBudget
) -> None:
    settings = EmbedderSettings(bundle=embedders["first"], further_recommenders=(str(recommenders["second"]),))
    missing = load_bundle(embedders["second"], "embedder").manifest.digest
    with pytest.raises(FailedPrecondition, match=f"{missing}.*FURTHER_BUNDLES"):
        await EmbedderEngines.open(settings, budget)
