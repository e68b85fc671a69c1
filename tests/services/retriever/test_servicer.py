"""The RetrieverService on the wire: defaults, limits and what is wrong named by its field."""

from typing import Any

import grpc.aio
import numpy as np
import pytest

from services.retriever import servicer
from services.retriever.engine import RetrieverEngine
from services.retriever.servicer import RetrieverServicer
from vitrine.channel import call, stream
from vitrine.errors import InvalidArgument
from vitrine.messages.common import vectors_to_message
from vitrine.v1 import common_pb2, product_pb2
from vitrine.v1 import retriever_service_pb2 as pb
from vitrine.v1.retriever_service_pb2_grpc import (
    RetrieverServiceStub,
    add_RetrieverServiceServicer_to_server,
)

SERVICE = "vitrine.v1.RetrieverService"
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
async def stub(engine: RetrieverEngine, start_server: Any, channel_to: Any) -> Any:
    def add(server: grpc.aio.Server) -> list[str]:
        add_RetrieverServiceServicer_to_server(RetrieverServicer(engine, default_timeout_s=10.0), server)
        return [SERVICE]

    server = await start_server(add, self_test=engine.self_test)
    return RetrieverServiceStub(channel_to(server.port))


def _upsert(count: int, **changes: Any) -> pb.RetrieverServiceUpsertProductsRequest:
    request = pb.RetrieverServiceUpsertProductsRequest(
        products=[
            pb.ProductVector(product=product_pb2.Product(id=f"p{n:05}", title=f"lamp {n}"), vector_index=n)
            for n in range(count)
        ],
        vectors=vectors_to_message(np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)),
        model_digest=DIGEST,
    )
    for name, value in changes.items():
        getattr(request, name).CopyFrom(value)
    return request


async def _written(stub: Any, shop: Any, *requests: pb.RetrieverServiceUpsertProductsRequest) -> list[Any]:
    async def sent() -> Any:
        for request in requests:
            yield request

    return [answer async for answer in stream(stub.UpsertProducts, sent(), deadline=shop.deadline())]


async def test_each_request_of_a_stream_is_answered_in_order(stub: Any, shop: Any) -> None:
    first, second = await _written(stub, shop, _upsert(300), _upsert(5))
    assert [(o.index, o.id) for o in first.outcomes] == [(n, f"p{n:05}") for n in range(300)]
    assert [o.HasField("status") for o in second.outcomes] == [False] * 5
    assert (first.revision, second.revision) == (1, 2)
    answer = await call(stub.Retrieve, pb.RetrieveRequest(text="lamp"), deadline=shop.deadline())
    assert len(answer.candidates) == 200
    assert all(candidate.HasField("product") for candidate in answer.candidates)
    assert answer.shortfall == common_pb2.SHORTFALL_UNSPECIFIED
    answer = await call(stub.Retrieve, pb.RetrieveRequest(text="lamp", product_limit=0), deadline=shop.deadline())
    assert not any(candidate.HasField("product") for candidate in answer.candidates)


async def test_half_precision_vectors_are_taken(stub: Any, shop: Any) -> None:
    vectors = shop.vectors(3, dim=8)
    (answer,) = await _written(stub, shop, _upsert(3, vectors=vectors_to_message(vectors, "float16")))
    assert not any(outcome.HasField("status") for outcome in answer.outcomes)
    request = pb.RetrieveRequest(vector=vectors_to_message(vectors[1:2], "float16"), model_digest=DIGEST)
    answer = await call(stub.Retrieve, request, deadline=shop.deadline())
    assert answer.candidates[0].product_id == "p00001"
    assert answer.candidates[0].score == pytest.approx(1.0, abs=1e-3)


async def test_a_product_that_cannot_be_read_fails_alone(stub: Any, shop: Any) -> None:
    request = _upsert(3)
    request.products[1].product.attributes["size"].text.append("large")
    request.products[1].product.attributes["size"].numbers.append(4)
    request.products[2].product.availability = 99
    (answer,) = await _written(stub, shop, request)
    assert [outcome.status.code for outcome in answer.outcomes] == [0, 3, 3]
    assert "attributes[size]" in answer.outcomes[1].status.message
    (answer,) = await _written(
        stub,
        shop,
        pb.RetrieverServiceUpsertProductsRequest(
            products=request.products[2:],
            vectors=vectors_to_message(np.ones((3, 8), np.float32)),
            model_digest=DIGEST,
        ),
    )
    assert (answer.outcomes[0].status.code, answer.revision) == (3, 1)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RetrieveRequest(text="lamp", depth=1_001), "depth"),
        (pb.RetrieveRequest(text="lamp", depth=-1), "depth"),
        (pb.RetrieveRequest(vector=vectors_to_message(np.ones((2, 8), np.float32)), model_digest="d"), "vector.data"),
        (pb.RetrieveRequest(vector=common_pb2.PackedVectors(data=b"123", dim=1)), "vector.data"),
        (pb.RetrieveRequest(vector=common_pb2.PackedVectors(data=b"1234")), "vector.dim"),
        (pb.RetrieveRequest(text="lamp", filter=pb.ProductFilter(availabilities=[77])), "filter.availabilities[0]"),
    ],
)
async def test_a_wrong_query_names_its_field(stub: Any, shop: Any, request_: Any, field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await call(stub.Retrieve, request_, deadline=shop.deadline())
    assert refusal.value.violations[0].field == field


@pytest.mark.parametrize("row", [-2, 3])
async def test_a_vector_that_is_not_there_is_named(stub: Any, shop: Any, row: int) -> None:
    request = _upsert(3)
    request.products[1].vector_index = row
    with pytest.raises(InvalidArgument) as refusal:
        await _written(stub, shop, request)
    assert refusal.value.violations[0].field == "products[1].vector_index"


async def test_an_empty_write_is_refused(stub: Any, shop: Any) -> None:
    with pytest.raises(InvalidArgument, match="products"):
        await _written(stub, shop, pb.RetrieverServiceUpsertProductsRequest(model_digest=DIGEST))


async def test_too_many_products_are_refused_unread(stub: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message has room for millions of empty products, which held up the event loop until they were counted."""
    monkeypatch.setattr(servicer, "upsert_from_message", lambda _: pytest.fail("read them"))
    request = pb.RetrieverServiceUpsertProductsRequest(model_digest=DIGEST, products=[pb.ProductVector()] * 501)
    with pytest.raises(InvalidArgument, match="501 entries; send 1 to 500"):
        await _written(stub, shop, request)


async def test_the_index_is_described(stub: Any, shop: Any) -> None:
    empty = await call(stub.GetIndex, pb.GetIndexRequest(), deadline=shop.deadline())
    assert (empty.products, empty.model_digest, empty.kind) == (0, "", "exact")
    assert not empty.HasField("update_time")
    await _written(stub, shop, _upsert(3))
    index = await call(stub.GetIndex, pb.GetIndexRequest(), deadline=shop.deadline())
    assert (index.products, index.revision, index.model_digest, index.dim) == (3, 1, DIGEST, 8)
    assert index.HasField("update_time")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RetrieveRelatedRequest(relations=[pb.RELATION_ALS, pb.RELATION_UNSPECIFIED]), r"relations\[1\]"),
        (pb.RetrieveRelatedRequest(scored_ids=["p"] * 5_001), "scored_ids"),
        (
            pb.RetrieveRelatedRequest(history_vector=vectors_to_message(np.ones((2, 4), np.float32))),
            r"history_vector\.data",
        ),
        (
            pb.RetrieveRelatedRequest(history_vector=vectors_to_message(np.full((1, 4), np.nan, np.float32))),
            r"history_vector\.data",
        ),
    ],
)
async def test_what_is_wrong_of_related_products_is_named(
    stub: Any, shop: Any, request_: pb.RetrieveRelatedRequest, field: str
) -> None:
    with pytest.raises(InvalidArgument, match=field):
        await call(stub.RetrieveRelated, request_, deadline=shop.deadline())
