"""Histories to vectors, by the engine and over gRPC alike; and what the engine alone can show."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest

from gateway.clients.embedder import EmbedderClient
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from tests.recommender_bundle import expected_history, learned_products, write_recommender_bundle
from vitrine.batching import BatchSettings
from vitrine.bundle import load_bundle
from vitrine.channel import open_channel
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, ResourceExhausted
from vitrine.ports import Embedder, EncodedHistories, HistoryItem, Lane
from vitrine.recommender_bundle import HISTORY_FILE, RecommenderBundle, write_recommender
from vitrine.user_event import EventType
from vitrine.v1 import embedder_service_pb2, embedder_service_pb2_grpc, user_event_pb2
from vitrine.vectors import FloatArray

TEXT_DIM, DIM = 32, 8
VECTORS: FloatArray = np.random.default_rng(6).normal(size=(20, DIM)).astype(np.float32)

MakeRecommender = Callable[..., RecommenderBundle]


@pytest.fixture(scope="module")
def embedder_folder(make_embedder_bundle: Any) -> Path:
    folder: Path = make_embedder_bundle()
    return folder


@pytest.fixture(scope="module")
def make_recommender(tmp_path_factory: pytest.TempPathFactory, embedder_folder: Path) -> MakeRecommender:
    """Writes recommenders for the embedder; keywords change the manifest."""

    def make(**changes: Any) -> RecommenderBundle:
        digest = load_bundle(embedder_folder, "embedder").manifest.digest
        learned = learned_products(["a", "b"], TEXT_DIM, DIM)
        changes = {"embedder_digest": digest} | changes
        return write_recommender_bundle(tmp_path_factory.mktemp("recommender"), learned, **changes)

    return make


@pytest.fixture(scope="module")
def bundle(make_recommender: MakeRecommender) -> RecommenderBundle:
    return make_recommender()


@pytest.fixture(scope="module")
async def history_engine(
    embedder_folder: Path, bundle: RecommenderBundle, budget: ComputeBudget
) -> AsyncIterator[EmbedderEngine]:
    settings = EmbedderSettings(bundle=embedder_folder, recommender=str(bundle.folder))
    engine = await EmbedderEngine.open(settings, budget)
    yield engine
    await engine.close()


@pytest.fixture(params=["engine", "client"])
async def embedder(
    request: pytest.FixtureRequest, history_engine: EmbedderEngine, serve: Any
) -> AsyncIterator[Embedder]:
    if request.param == "engine":
        yield history_engine
        return
    server = await serve(history_engine)
    await server.serving()
    async with open_channel(f"127.0.0.1:{server.port}") as channel:
        yield EmbedderClient(channel)


def viewed(*actions: tuple[int, float]) -> list[HistoryItem]:
    """A history of views: row and age of each."""
    return [HistoryItem(row, EventType.VIEW_ITEM, age_s) for row, age_s in actions]


async def encode(embedder: Embedder, bundle: RecommenderBundle, *histories: Any, **changes: Any) -> EncodedHistories:
    fields: dict[str, Any] = {
        "item_vectors": VECTORS,
        "recommender_digest": bundle.manifest.digest,
        "deadline": Deadline.after(60),
    }
    return await embedder.encode_history(list(histories), **fields | changes)


def expected(history: list[HistoryItem]) -> FloatArray:
    rows, ages_s = [item.vector_index for item in history], np.array([item.age_s for item in history])
    return expected_history(VECTORS[rows], ages_s)


async def test_histories_of_all_lengths_are_encoded_in_order(embedder: Embedder, bundle: RecommenderBundle) -> None:
    """Padded together in whatever batches: each has the vector that it has alone."""
    random = np.random.default_rng(1)
    histories = [
        viewed(*((int(random.integers(20)), float(random.integers(1_000))) for _ in range(length)))
        for length in (1, 10, 2, 5, 1, 9, 3)
    ]
    together = await encode(embedder, bundle, *histories, lane=Lane.BULK)
    assert together.recommender_digest == bundle.manifest.digest
    assert together.vectors.dtype == np.float32
    np.testing.assert_allclose(together.vectors, [expected(history) for history in histories], atol=1e-5)
    for history, vector in zip(histories, together.vectors, strict=True):
        np.testing.assert_allclose((await encode(embedder, bundle, history)).vectors, [vector], atol=1e-6)


async def test_the_latest_that_fit_are_read(embedder: Embedder, bundle: RecommenderBundle) -> None:
    """The model reads 10; a call may bring 200."""
    history = viewed(*((row % 20, 50.0 + row) for row in range(200)))
    encoded = await encode(embedder, bundle, history)
    np.testing.assert_allclose(encoded.vectors, [expected(history[-10:])], atol=1e-5)


async def test_ages_and_event_types_reach_the_model(embedder: Embedder, bundle: RecommenderBundle) -> None:
    old, new = viewed((0, 1e6), (1, 0.0)), viewed((0, 0.0), (1, 1e6))
    encoded = await encode(embedder, bundle, old, new)
    assert encoded.vectors[0] @ VECTORS[1] > encoded.vectors[0] @ VECTORS[0]
    assert encoded.vectors[1] @ VECTORS[0] > encoded.vectors[1] @ VECTORS[1]


async def test_the_recommender_is_named(embedder: Embedder, bundle: RecommenderBundle) -> None:
    model = await embedder.get_model(deadline=Deadline.after(60))
    assert (model.name, model.recommender_digest) == ("tiny", bundle.manifest.digest)


async def test_without_a_recommender_the_setting_is_named(
    engine: EmbedderEngine, channel: grpc.aio.Channel, bundle: RecommenderBundle
) -> None:
    for embedder in (engine, EmbedderClient(channel)):
        with pytest.raises(FailedPrecondition, match="VITRINE_EMBEDDER_RECOMMENDER") as refused:
            await encode(embedder, bundle, viewed((0, 1.0)))
        assert refused.value.reason == "NO_RECOMMENDER"
        assert (await embedder.get_model(deadline=Deadline.after(60))).recommender_digest == ""


async def test_vectors_of_another_recommender_are_refused_and_both_are_named(
    embedder: Embedder, bundle: RecommenderBundle
) -> None:
    with pytest.raises(FailedPrecondition, match=f"sha256:00 and {bundle.manifest.digest} is served") as refused:
        await encode(embedder, bundle, viewed((0, 1.0)), recommender_digest="sha256:00")
    assert refused.value.reason == "RECOMMENDER_MISMATCH"


@pytest.mark.parametrize(
    ("histories", "changes", "field"),
    [
        ([], {}, "histories"),
        ([viewed((0, 1.0))] * 65, {}, "histories"),
        ([viewed((0, 1.0)), []], {}, r"histories\[1\].items"),
        ([viewed(*[(0, 1.0)] * 201)], {}, r"histories\[0\].items"),
        ([viewed((0, 1.0), (20, 1.0))], {}, r"histories\[0\].items\[1\].vector_index"),
        ([viewed((-1, 1.0))], {}, r"histories\[0\].items\[0\].vector_index"),
        ([viewed((0, -1.0))], {}, r"histories\[0\].items\[0\].age_s"),
        ([viewed((0, float("nan")))], {}, r"histories\[0\].items\[0\].age_s"),
        ([viewed((0, 1.0))], {"item_vectors": VECTORS[:, :7]}, "item_vectors.dim"),
        ([viewed((0, 1.0))], {"item_vectors": VECTORS * np.nan}, "item_vectors.data"),
        ([viewed((0, 1.0))], {"recommender_digest": ""}, "recommender_digest"),
    ],
)
async def test_a_wrong_field_is_named(
    embedder: Embedder, bundle: RecommenderBundle, histories: Any, changes: Any, field: str
) -> None:
    with pytest.raises(InvalidArgument, match=field):
        await encode(embedder, bundle, *histories, **changes)


async def test_no_time_left(embedder: Embedder, bundle: RecommenderBundle) -> None:
    with pytest.raises(DeadlineExceeded):
        await encode(embedder, bundle, viewed((0, 1.0)), deadline=Deadline.after(0))


async def test_a_cancelled_history_never_reaches_the_model(
    history_engine: EmbedderEngine,
    bundle: RecommenderBundle,
    busy: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It waits behind another run of a model; its caller leaves; who is left is answered."""
    encoder = history_engine._history
    assert encoder is not None
    seen: list[int] = []
    plain = encoder._batcher._compute

    def noted(batch: Any) -> Any:
        seen.extend(len(actions.ages) for actions in batch)
        return plain(batch)

    monkeypatch.setattr(encoder._batcher, "_compute", noted)

    async def waits(tokens: int) -> None:
        async with asyncio.timeout(20):
            while encoder._batcher._queues[Lane.LIVE].tokens != tokens:  # noqa: ASYNC110
                await asyncio.sleep(0)

    def sent(length: int) -> "asyncio.Task[EncodedHistories]":
        return asyncio.create_task(encode(history_engine, bundle, viewed(*[(1, 1.0)] * length)))

    first = sent(1)
    await waits(1)
    gone = sent(7)
    await waits(8)
    stays = sent(2)
    await waits(10)
    gone.cancel()
    busy.set()
    await asyncio.gather(first, stays)
    assert seen == [1, 2]
    assert gone.cancelled()


async def test_a_full_queue_refuses_at_once(
    embedder_folder: Path, bundle: RecommenderBundle, budget: ComputeBudget
) -> None:
    settings = EmbedderSettings(
        bundle=embedder_folder, recommender=str(bundle.folder), batch=BatchSettings(max_queue_tokens=8)
    )
    engine = await EmbedderEngine.open(settings, budget)
    with pytest.raises(ResourceExhausted, match="over the queue's limit of 8"):
        await encode(engine, bundle, viewed(*[(1, 1.0)] * 9))
    await engine.close()


async def test_a_recommender_for_another_embedder_is_refused_at_the_start(
    embedder_folder: Path, make_recommender: MakeRecommender, budget: ComputeBudget
) -> None:
    other = make_recommender(embedder_digest="sha256:other")
    digest = load_bundle(embedder_folder, "embedder").manifest.digest
    with pytest.raises(FailedPrecondition, match=f"sha256:other, and these are of {digest}"):
        await EmbedderEngine.open(EmbedderSettings(bundle=embedder_folder, recommender=str(other.folder)), budget)


@pytest.mark.parametrize("known", [{}, {"items": [[1.0] * 7], "event_types": [4], "ages_s": [0], "vector": [1.0] * 8}])
async def test_a_bundle_without_a_known_history_is_refused(
    embedder_folder: Path, make_recommender: MakeRecommender, budget: ComputeBudget, known: dict[str, Any]
) -> None:
    bundle = make_recommender(self_test=known)
    with pytest.raises(FailedPrecondition, match="no self_test with items, event_types, ages_s and vector of 8"):
        await EmbedderEngine.open(EmbedderSettings(bundle=embedder_folder, recommender=str(bundle.folder)), budget)


async def test_an_encoder_that_does_not_give_the_known_vector_does_not_serve(
    embedder_folder: Path, make_recommender: MakeRecommender, bundle: RecommenderBundle, budget: ComputeBudget
) -> None:
    known = bundle.manifest.self_test | {"vector": [-number for number in bundle.manifest.self_test["vector"]]}
    wrong = make_recommender(self_test=known)
    settings = EmbedderSettings(bundle=embedder_folder, recommender=str(wrong.folder))
    engine = await EmbedderEngine.open(settings, budget)
    with pytest.raises(Internal, match=r"known history has length 1\.000 and cosine -1\.000") as failed:
        await engine.self_test()
    assert failed.value.reason == "SELF_TEST_FAILED"
    await engine.close()


async def test_the_known_history_passes(history_engine: EmbedderEngine) -> None:
    await history_engine.self_test()


async def test_a_model_of_text_in_place_of_the_encoder_is_refused(
    embedder_folder: Path, bundle: RecommenderBundle, budget: ComputeBudget, tmp_path: Path
) -> None:
    folder = tmp_path / "swapped"
    digest = load_bundle(embedder_folder, "embedder").manifest.digest
    write_recommender_bundle(folder, learned_products(["a"], TEXT_DIM, DIM), embedder_digest=digest)
    (folder / HISTORY_FILE).write_bytes((embedder_folder / "model.onnx").read_bytes())
    settings = EmbedderSettings(bundle=embedder_folder, recommender=str(folder))
    with pytest.raises(FailedPrecondition, match=r"history\.onnx does not match its digest"):
        await EmbedderEngine.open(settings, budget)
    write_recommender(folder, bundle.manifest)
    with pytest.raises(FailedPrecondition, match=r"\['ages', 'event_types', 'items'\] and 'vectors' are needed"):
        await EmbedderEngine.open(settings, budget)


async def test_an_unset_event_type_is_named_by_its_place(channel: grpc.aio.Channel) -> None:
    """What plain data cannot hold is refused as the message is read."""
    item = embedder_service_pb2.HistoryItem(event_type=user_event_pb2.EVENT_TYPE_VIEW_ITEM)
    history = embedder_service_pb2.History(items=[item, embedder_service_pb2.HistoryItem()])
    request = embedder_service_pb2.EncodeHistoryRequest(histories=[history])
    with pytest.raises(grpc.aio.AioRpcError, match=r"histories\[0\].items\[1\].event_type: is not set") as refused:
        await embedder_service_pb2_grpc.EmbedderServiceStub(channel).EncodeHistory(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
