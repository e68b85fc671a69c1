"""Tests of HTTP/JSON over the real engines and a real HTTP server."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from google.rpc import error_details_pb2
from structlog.testing import capture_logs

from vitrine.errors import ResourceExhausted, Unavailable

SEARCH = "/vitrine.v1.SearchService/Search"
GET = "/vitrine.v1.CatalogService/GetProduct"
DELETE = "/vitrine.v1.CatalogService/DeleteProducts"


@pytest.fixture
async def shop(open_shop: Any) -> Any:
    return await open_shop(max_body_bytes=10_000)


@pytest.fixture
async def http(shop: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shop's HTTP port."""
    async with (
        shop.gateway.http() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
    ):
        yield client


async def test_recommend_in_chinese(http: httpx.AsyncClient) -> None:
    reply = await http.post("/recommend", json={"query": "智能手表", "top_n": 5})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    found = reply.json()["recommendations"]
    assert len(found) == 5
    assert all("智能手表" in product["title"] and product["id"] for product in found)
    assert all(0 < product["score"] < 1 and product["scored_by"] == "ranker" for product in found)
    assert [product["score"] for product in found] == sorted((product["score"] for product in found), reverse=True)
    assert reply.json()["degradations"] == []


async def test_recommend_says_who_scored(http: httpx.AsyncClient, shop: Any) -> None:
    shop.ranker.error = Unavailable("away")
    reply = (await http.post("/recommend", json={"query": "smart watch"})).json()
    assert len(reply["recommendations"]) == 10
    assert {product["scored_by"] for product in reply["recommendations"]} == {"retriever"}
    assert reply["degradations"] == ["not_ranked"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ('{"query": "", "top_n": 5}', ["query"]),
        ('{"top_n": 5}', ["query"]),
        ('{"query": "watch", "top_n": 0}', ["top_n"]),
        ('{"query": "watch", "top_n": 101}', ["top_n"]),
        ('{"query": "watch", "top_n": "5"}', ["top_n"]),
        ('{"query": 5, "top_n": 1.5}', ["query", "top_n"]),
        ('{"query": "watch", "topn": 5}', ["topn"]),
        ("[]", ["body"]),
        ('{"query": "watch"', ["body"]),
        ("", ["body"]),
        (b'{"query": "\xff"}', ["body"]),
        ('{"query": "\\ud800"}', ["body"]),
    ],
)
async def test_a_wrong_recommend_is_refused_by_field(http: httpx.AsyncClient, body: Any, fields: list[str]) -> None:
    reply = await http.post("/recommend", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    error = reply.json()
    assert error["code"] == "invalid_argument"
    assert violations_of(error) == fields


def violations_of(error: dict[str, Any]) -> list[str]:
    """The fields that an error names, read from the packed detail as a Connect client does."""
    for detail in error["details"]:
        if detail["type"] == "google.rpc.BadRequest":
            bad = error_details_pb2.BadRequest.FromString(base64.b64decode(detail["value"] + "=="))
            fields = [violation.field for violation in bad.field_violations]
            assert [violation["field"] for violation in detail["debug"]["fieldViolations"]] == fields
            return fields
    raise AssertionError(f"no BadRequest in {error}")


async def test_search_as_connect_json(http: httpx.AsyncClient) -> None:
    body = {"query": "red shoes", "pageSize": 3, "filter": {"brands": ["Norvik"]}}
    reply = await http.post(SEARCH, json=body, headers={"Connect-Protocol-Version": "1"})
    assert reply.status_code == 200
    answer = reply.json()
    assert len(answer["results"]) == 3
    assert {result["product"]["brand"] for result in answer["results"]} == {"Norvik"}
    assert 3 <= answer["rankDepth"] <= 32
    more = await http.post(SEARCH, json=body | {"pageToken": answer["nextPageToken"]})
    assert [result["position"] for result in more.json()["results"]] == [4, 5, 6]


async def test_products_are_read_and_a_missing_one_is_404(http: httpx.AsyncClient) -> None:
    reply = await http.post(GET, json={"id": "p002"})
    assert reply.json()["product"]["description"] == "Description of product 2."
    missing = await http.post(GET, json={"id": "nobody"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_products_are_deleted(open_shop: Any) -> None:
    shop = await open_shop(own_catalogue=True)
    async with shop.gateway.http() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        reply = await client.post(DELETE, json={"ids": ["p003", "nobody"]}, timeout=30)
        outcomes = reply.json()["outcomes"]
        assert outcomes[0] == {"id": "p003"}
        assert outcomes[1]["status"]["code"] == 5
        assert (await client.post(GET, json={"id": "p003"}, timeout=30)).status_code == 404


async def test_offers_and_digests_over_http(open_shop: Any) -> None:
    shop = await open_shop(own_catalogue=True)
    async with (
        shop.gateway.http() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
    ):
        service = "/vitrine.v1.CatalogService"
        offer = {"id": "p003", "price": 2.5, "availability": "AVAILABILITY_OUT_OF_STOCK"}
        reply = await client.post(f"{service}/UpdateOffers", json={"offers": [offer, {"id": "nobody"}]})
        assert reply.status_code == 200
        assert [outcome.get("status", {}).get("code", 0) for outcome in reply.json()["outcomes"]] == [0, 5]
        read = (await client.post(GET, json={"id": "p003"})).json()["product"]
        assert (read["price"], read["availability"]) == (2.5, "AVAILABILITY_OUT_OF_STOCK")
        page = (await client.post(f"{service}/ListProductDigests", json={"pageSize": 2})).json()
        assert [entry["id"] for entry in page["digests"]] == ["p000", "p001"]
        assert len(base64.b64decode(page["digests"][0]["digest"])) == 16
        assert page["nextPageToken"]


@pytest.mark.parametrize(
    "body",
    [
        *("{", "[]", "nonsense", '{"nothing": 1}', '{"query": 5}', '{"pageSize": "x"}', b"\xff\xfe", '"a"', "null"),
        # A name, and a number, with half of a surrogate pair.
        *('{"\\ud800": 1}', '{"filter": {"maxPrice": "\\ud800"}}'),
    ],
)
async def test_a_body_that_is_no_such_message_is_refused(http: httpx.AsyncClient, body: Any) -> None:
    reply = await http.post(SEARCH, content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_argument")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/vitrine.v1.SearchService/Nothing", {"Content-Type": "application/json"}, 404),
        ("GET", SEARCH, {}, 405),
        ("POST", SEARCH, {"Content-Type": "application/xml"}, 415),
        ("POST", "/recommend", {}, 415),
        ("GET", "/nothing", {}, 404),
    ],
)
async def test_other_requests_are_refused_in_json(
    http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    reply = await http.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
    assert reply.status_code == status
    assert reply.json()["code"]
    assert reply.json()["message"]


async def test_a_flood_of_refusals_does_not_fill_the_log(http: httpx.AsyncClient) -> None:
    begun_s = time.monotonic()
    with capture_logs() as logs:
        for _ in range(40):
            assert (await http.post(SEARCH, json={"query": "x" * 20_000})).status_code == 413
    lines = [log for log in logs if log["event"] == "call failed"]
    assert 5 <= len(lines) <= 5 * (int(time.monotonic() - begun_s) + 2)


async def test_a_large_body_is_refused_with_its_size_and_the_limit(http: httpx.AsyncClient, shop: Any) -> None:
    """text-embeddings-inference#50 (case 53)"""
    with capture_logs() as logs:
        reply = await http.post(SEARCH, json={"query": "x" * 20_000})
    assert reply.status_code == 413
    assert [log["code"] for log in logs if log["event"] == "call failed"] == ["RESOURCE_EXHAUSTED"]
    assert "the body has 20012 bytes; at most 10000 are allowed" in reply.json()["message"]

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 1_000

    reply = await http.post(SEARCH, content=chunks(), headers={"Content-Type": "application/json"})
    assert reply.status_code == 413
    assert not shop.retriever.calls


@pytest.mark.parametrize(
    ("timeout_ms", "status"), [("0", 504), ("x", 400), ("-5", 400), ("12345678901", 400), ("30000", 200)]
)
async def test_the_clients_time_limit_holds(http: httpx.AsyncClient, timeout_ms: str, status: int) -> None:
    reply = await http.post(SEARCH, json={"query": "watch"}, headers={"Connect-Timeout-Ms": timeout_ms})
    assert reply.status_code == status


async def test_a_hanging_retriever_ends_with_the_clients_time_limit(http: httpx.AsyncClient, shop: Any) -> None:
    shop.retriever.hanging = True
    reply = await http.post(SEARCH, json={"query": "watch"}, headers={"Connect-Timeout-Ms": "300"})
    assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")


async def test_overload_says_when_to_come_back(http: httpx.AsyncClient, shop: Any) -> None:
    shop.retriever.error = ResourceExhausted("full", retry_after_s=2.5)
    reply = await http.post(SEARCH, json={"query": "watch"})
    assert (reply.status_code, reply.headers["retry-after"], reply.json()["code"]) == (429, "3", "resource_exhausted")


async def test_unknown_faults_leave_without_their_text(http: httpx.AsyncClient, shop: Any) -> None:
    shop.retriever.error = RuntimeError("secret")
    reply = await http.post(SEARCH, json={"query": "watch"})
    assert reply.status_code == 500
    assert reply.json()["code"] == "internal"
    assert "secret" not in reply.text
    assert "trace id" in reply.json()["message"]


async def test_work_ends_when_the_client_leaves(http: httpx.AsyncClient, shop: Any) -> None:
    """leapfrogai#139"""
    shop.retriever.hanging = True
    call = asyncio.create_task(http.post(SEARCH, json={"query": "watch"}))
    await shop.retriever.until(lambda: bool(shop.retriever.calls))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await shop.retriever.until(lambda: shop.retriever.cancelled == len(shop.retriever.calls))


async def test_liveness_readiness_and_metrics(http: httpx.AsyncClient, shop: Any) -> None:
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 503
    await shop.gateway.self_test()
    assert (await http.get("/readyz")).status_code == 200
    shop.retriever.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await shop.gateway.self_test()
    assert (await http.get("/readyz")).status_code == 503
    assert (await http.get("/healthz")).status_code == 200
    await http.post(SEARCH, json={"query": ""})
    metrics = (await http.get("/metrics")).text
    assert f'vitrine_calls_total{{code="INVALID_ARGUMENT",method="{SEARCH}"}}' in metrics
    assert "vitrine_search_stage_seconds_bucket" in metrics


async def test_an_answer_is_json_in_utf8(http: httpx.AsyncClient) -> None:
    reply = await http.post(SEARCH, json={"query": "智能手表", "pageSize": 1})
    assert "智能手表" in json.loads(reply.content.decode())["results"][0]["product"]["title"]
    assert "智能手表" in reply.content.decode()
