"""One suite that the engine and its gRPC client both meet, and what the engine alone can show."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest

from gateway.clients.embedder import EmbedderClient
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from vitrine.bundle import load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, ResourceExhausted
from vitrine.inference import load_session
from vitrine.ports import Embedder, Embeddings, InputType, Lane
from vitrine.tokenization import Tokenizer


def soon() -> Deadline:
    return Deadline.after(60)


@pytest.fixture(params=["engine", "client"])
def embedder(request: pytest.FixtureRequest, engine: EmbedderEngine, channel: grpc.aio.Channel) -> Embedder:
    return engine if request.param == "engine" else EmbedderClient(channel)


@pytest.fixture(scope="module")
async def shipped(budget: ComputeBudget) -> AsyncIterator[EmbedderEngine]:
    engine = await EmbedderEngine.open(EmbedderSettings(), budget)
    yield engine
    await engine.close()


async def test_vectors_and_items_are_in_order(embedder: Embedder) -> None:
    texts = ["red watch", "blue phone", "智能手表"]
    both = await embedder.embed(texts, input_type=InputType.DOCUMENT, deadline=soon(), lane=Lane.BULK)
    assert both.vectors.shape == (3, 32)
    assert both.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(both.vectors, axis=1), 1, atol=1e-5)
    assert [(item.tokens, item.tokens_dropped, item.error) for item in both.items] == [
        (4, 0, None),
        (4, 0, None),
        (6, 0, None),
    ]
    for index, text in enumerate(texts):
        one = await embedder.embed([text], input_type=InputType.DOCUMENT, deadline=soon())
        assert one.vectors[0] @ both.vectors[index] > 0.9999
    assert both.model_digest == (await embedder.get_model(deadline=soon())).digest


async def test_the_model_is_named(embedder: Embedder) -> None:
    model = await embedder.get_model(deadline=soon())
    assert (model.name, model.version, model.dim, model.max_tokens) == ("tiny", "1", 32, 256)
    assert model.languages == ("zh", "en")
    assert model.runtime == "onnxruntime"
    assert model.digest.startswith("sha256:")


async def test_the_prompt_that_was_used_is_told(embedder: Embedder) -> None:
    """text-embeddings-inference#230 (case 65): vectors differed from the reference because of a hidden prefix."""
    query = await embedder.embed(["red watch"], input_type=InputType.QUERY, deadline=soon())
    document = await embedder.embed(["red watch"], input_type=InputType.DOCUMENT, deadline=soon())
    by_hand = await embedder.embed([query.prompt + "red watch"], input_type=InputType.DOCUMENT, deadline=soon())
    assert (query.prompt, document.prompt) == ("query: ", "")
    assert query.items[0].tokens == document.items[0].tokens + 1
    # fastembed#251 (case 66): the same text as query and as passage gave one vector.
    assert query.vectors[0] @ document.vectors[0] < 0.999
    assert query.vectors[0] @ by_hand.vectors[0] > 0.9999


async def test_one_empty_text_fails_alone(embedder: Embedder) -> None:
    """dify#6807 (case 57): one empty string broke the whole batch."""
    found = await embedder.embed(["red", "", "blue"], input_type=InputType.QUERY, deadline=soon())
    first, empty, last = found.items
    assert (first.error, last.error) == (None, None)
    assert isinstance(empty.error, InvalidArgument)
    assert empty.error.reason == "EMPTY_TEXT"
    assert empty.error.violations[0].field == "texts[1]"
    assert not found.vectors[1].any()
    assert found.vectors[0].any()
    assert found.vectors[2].any()


@pytest.mark.parametrize("text", [" ", "\t", "\n", "\u3000", "\u200b", "\ufeff \u200d", "\x00"])
async def test_white_space_of_every_kind_is_empty(embedder: Embedder, text: str) -> None:
    """azure-search-openai-demo#1134 (case 58): an empty text was replaced by a space."""
    found = await embedder.embed([text], input_type=InputType.QUERY, deadline=soon())
    assert isinstance(found.items[0].error, InvalidArgument)


async def test_half_a_surrogate_pair_is_left_out(embedder: Embedder) -> None:
    found = await embedder.embed(["red\ud83d watch", "red watch"], input_type=InputType.QUERY, deadline=soon())
    assert found.items[0].error is None
    assert found.vectors[0] @ found.vectors[1] > 0.9999


async def test_full_width_text_has_the_vector_of_half_width_text(embedder: Embedder) -> None:
    """openmed#1468 (case 79): full-width digits and letters."""
    found = await embedder.embed(
        ["ＲＥＤ\u3000Ｗａｔｃｈ\u200b", "red watch"], input_type=InputType.QUERY, deadline=soon()
    )
    assert (found.vectors[0] == found.vectors[1]).all()


async def test_truncation_is_reported_for_each_text(embedder: Embedder) -> None:
    """text-embeddings-inference#218, sentence-transformers#4060 (cases 54, 55): 15 tokens too many, cut silently."""
    fits, too_long = "red " * 254, "red " * 254 + "blue " * 15
    found = await embedder.embed([too_long, fits, "red"], input_type=InputType.DOCUMENT, deadline=soon())
    assert [(item.tokens, item.tokens_dropped) for item in found.items] == [(271, 15), (256, 0), (3, 0)]
    assert found.vectors[0] @ found.vectors[1] > 0.9999


async def test_truncation_can_be_refused(embedder: Embedder) -> None:
    texts = ["red " * 269, "red"]
    found = await embedder.embed(texts, input_type=InputType.DOCUMENT, deadline=soon(), refuse_overflow=True)
    error = found.items[0].error
    assert isinstance(error, InvalidArgument)
    assert error.reason == "TEXT_TOO_LONG"
    assert error.message == "texts[0]: has 271 tokens and 256 fit; shorten it or allow truncation"
    assert found.items[1].error is None


async def test_too_many_characters_fail_the_item(embedder: Embedder) -> None:
    found = await embedder.embed(["r" * 32_769, "red"], input_type=InputType.QUERY, deadline=soon())
    assert "32769 characters; at most 32768" in str(found.items[0].error)
    assert found.items[1].error is None


@pytest.mark.parametrize("count", [0, 257, 10_000])
async def test_too_few_or_too_many_texts_name_the_limit(embedder: Embedder, count: int) -> None:
    """gaia#918 (case 51): a call of 10,000 texts."""
    with pytest.raises(InvalidArgument, match=f"texts: has {count} entries; give 1 to 256"):
        await embedder.embed(["red"] * count, input_type=InputType.QUERY, deadline=soon())


async def test_unknown_tokens_give_a_finite_vector(embedder: Embedder) -> None:
    """model2vec#368 (case 62): only unknown tokens, and a norm that became 0."""
    found = await embedder.embed(["zzz qqq", "🙂"], input_type=InputType.DOCUMENT, deadline=soon())
    assert np.isfinite(found.vectors).all()
    assert [item.error for item in found.items] == [None, None]


async def test_a_vector_that_is_not_finite_is_an_error_of_its_text(embedder: Embedder) -> None:
    """text-embeddings-inference#51 (case 59): all-null vectors returned with 200."""
    found = await embedder.embed(["red", "poison", "blue"], input_type=InputType.QUERY, deadline=soon())
    assert [type(item.error) for item in found.items] == [type(None), Internal, type(None)]
    assert not found.vectors[1].any()


async def test_no_time_left(embedder: Embedder) -> None:
    with pytest.raises(DeadlineExceeded):
        await embedder.embed(["red"], input_type=InputType.QUERY, deadline=Deadline.after(-1))


async def test_many_callers_of_tiny_texts_are_all_answered(embedder: Embedder) -> None:
    """text-embeddings-inference#726 (case 42): 25 calls of 5 one-letter texts at once."""
    calls = [
        embedder.embed([f"{letter}" for letter in "abcde"], input_type=InputType.QUERY, deadline=soon())
        for _ in range(25)
    ]
    for found in await asyncio.gather(*calls):
        assert [item.error for item in found.items] == [None] * 5


async def test_the_largest_call_is_answered(embedder: Embedder) -> None:
    """infinity#517 (case 50): 256 texts that all fill the window are run in parts that memory can hold."""
    found = await embedder.embed(["red " * 300] * 256, input_type=InputType.QUERY, deadline=soon(), lane=Lane.BULK)
    assert found.vectors.shape == (256, 32)
    assert {item.tokens_dropped for item in found.items} == {47}


async def test_the_self_test_knows_its_model(engine: EmbedderEngine) -> None:
    await engine.self_test()


@pytest.mark.parametrize(
    "vector", [[1.0, *[0.0] * 31], [float(number) for number in range(32)]], ids=["other", "another"]
)
async def test_another_models_vector_fails_the_self_test(
    make_embedder_bundle: Any, budget: ComputeBudget, vector: list[float]
) -> None:
    """fastembed#688 (case 61): weights that do not fit must not be served."""
    known = {"text": "red watch", "input_type": "query", "vector_head": vector}
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=make_embedder_bundle(self_test=known)), budget)
    with pytest.raises(Internal, match="do not fit together") as failed:
        await engine.self_test()
    assert failed.value.reason == "SELF_TEST_FAILED"
    await engine.close()


@pytest.mark.parametrize("prompts", [{"query": "", "document": ""}, {"query": "", "document": "query: "}])
async def test_a_lost_or_swapped_prompt_fails_the_self_test(
    make_embedder_bundle: Any, budget: ComputeBudget, prompts: dict[str, str]
) -> None:
    """fastembed#251 (case 66): the right weights, and vectors of texts without their prefix."""
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=make_embedder_bundle(prompts=prompts)), budget)
    with pytest.raises(Internal, match="do not fit together"):
        await engine.self_test()
    await engine.close()


async def test_a_model_that_gives_nan_fails_the_self_test(make_embedder_bundle: Any, budget: ComputeBudget) -> None:
    """sentence-transformers#3233 (case 137): a half-precision model that gives NaN is refused at start."""
    known = {"text": "poison", "input_type": "query", "vector_head": [1.0] * 32}
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=make_embedder_bundle(self_test=known)), budget)
    with pytest.raises(Internal, match="not finite"):
        await engine.self_test()
    await engine.close()


async def test_a_bundle_without_a_known_answer_is_refused(make_embedder_bundle: Any, budget: ComputeBudget) -> None:
    with pytest.raises(FailedPrecondition, match="has no self_test with text"):
        await EmbedderEngine.open(EmbedderSettings(bundle=make_embedder_bundle(self_test={})), budget)


async def test_a_bundle_that_is_not_there_is_named(tmp_path: Path, budget: ComputeBudget) -> None:
    with pytest.raises(FailedPrecondition, match="no bundle at"):
        await EmbedderEngine.open(EmbedderSettings(bundle=tmp_path / "none"), budget)


async def test_torch_serves_the_same_bundle(make_embedder_bundle: Any, budget: ComputeBudget) -> None:
    bundle = make_embedder_bundle()
    texts = ["red watch", "智能手表", "blue phone case"]
    vectors = []
    for runtime in ("onnxruntime", "torch"):
        engine = await EmbedderEngine.open(
            EmbedderSettings.model_validate({"bundle": bundle, "runtime": runtime}), budget
        )
        await engine.self_test()
        assert (await engine.get_model(deadline=soon())).runtime == runtime
        vectors.append((await engine.embed(texts, input_type=InputType.QUERY, deadline=soon())).vectors)
        await engine.close()
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.999


async def test_a_full_queue_refuses_and_the_self_test_still_passes(
    make_embedder_bundle: Any, budget: ComputeBudget, busy: threading.Event
) -> None:
    """text-embeddings-inference#811: a full queue is an answer, not a crash; and no reason to call the model sick."""
    settings = EmbedderSettings.model_validate({"bundle": make_embedder_bundle(), "batch": {"max_queue_tokens": 64}})
    engine = await EmbedderEngine.open(settings, budget)
    calls = {
        asyncio.create_task(engine.embed(["red", "blue"], input_type=InputType.QUERY, deadline=soon()))
        for _ in range(50)
    }
    # Eight tokens a call: eight calls fit into the queue, and at most as many into the batch that waits its turn.
    refused: set[asyncio.Task[Embeddings]] = set()
    while len(refused) < 34:
        refused, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
    testing = asyncio.create_task(engine.self_test())
    busy.set()
    await testing
    await asyncio.wait(calls)
    errors = [call.exception() for call in calls if call.exception() is not None]
    assert len(refused) <= len(errors) < 50
    assert all(isinstance(error, ResourceExhausted) and error.retry_after_s for error in errors)
    await engine.close()


async def test_the_shipped_bundle_passes_its_self_test(shipped: EmbedderEngine) -> None:
    await shipped.self_test()
    model = await shipped.get_model(deadline=soon())
    assert set(model.languages) >= {"zh", "en"}


async def test_shipped_vectors_know_query_from_document_and_width_from_meaning(shipped: EmbedderEngine) -> None:
    """fastembed#251 (case 66): each way has its prompt; openmed#1468 (case 79): and one vector in any width."""
    texts = ["ｉＰｈｏｎｅ１５", "iPhone15", "苹果手机", "garden hose"]
    query = await shipped.embed(texts, input_type=InputType.QUERY, deadline=soon())
    document = await shipped.embed(texts, input_type=InputType.DOCUMENT, deadline=soon())
    assert (query.vectors[0] == query.vectors[1]).all()
    assert query.vectors[1] @ document.vectors[1] < 0.9999
    bundle = load_bundle(EmbedderSettings().bundle, "embedder")
    session, tokenizer = load_session(bundle, ComputeBudget(threads=1)), Tokenizer(bundle)
    for name, found in (("query", query), ("document", document)):
        [tokens] = tokenizer.encode([bundle.manifest.prompts[name] + "iphone15"], bundle.manifest.max_tokens)
        assert np.asarray(session.run([tokens.ids])[0]) @ found.vectors[1] > 0.9999
    assert query.vectors[1] @ document.vectors[1] > query.vectors[1] @ document.vectors[3]
    assert query.vectors[2] @ document.vectors[1] > query.vectors[2] @ document.vectors[3]
