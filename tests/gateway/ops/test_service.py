"""OpsService over real gRPC: numbers that follow from known calls, and who gets them."""

import asyncio
import math
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from gateway.auth.scopes import Scope
from gateway.events.settings import EventsSettings
from loadtest.faults.redis_proxy import RedisProxy
from tests.gateway.auth.conftest import open_guarded
from tests.gateway.ops.conftest import LIMIT_S, OpsShop
from vitrine.errors import Unavailable
from vitrine.v1 import ops_service_pb2 as pb
from vitrine.v1 import retriever_service_pb2, user_event_service_pb2, user_event_service_pb2_grpc

__all__ = ["open_guarded"]
SEARCH = "/vitrine.v1.SearchService/Search"
CHEAP = retriever_service_pb2.ProductFilter(max_price=1.0)


def counted(overview: pb.GetOverviewResponse, per_second: float) -> int:
    return round(per_second * overview.window_s)


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


async def test_rates_and_distributions_follow_from_the_calls(ops_shop: OpsShop) -> None:
    await ops_shop.overview()
    for _ in range(3):
        await ops_shop.search("red coffee machine")
    await refused(ops_shop.search("x", page_size=1_000))
    ops_shop.ranker.error = Unavailable("away")
    degraded = await ops_shop.search("white phone case")
    assert degraded.degradations
    overview = await ops_shop.overview()
    (method,) = (one for one in overview.methods if one.method == SEARCH)
    assert counted(overview, method.per_second) == 5
    assert {one.code: counted(overview, one.per_second) for one in method.codes} == {"OK": 4, "INVALID_ARGUMENT": 1}
    assert method.failed_share == 0
    latency = method.latency_s
    assert sum(latency.counts) == 4
    assert len(latency.counts) == len(latency.bounds) + 1
    assert 0 < latency.p50 <= latency.p90 <= latency.p99
    assert math.isclose(latency.per_second, method.per_second * 4 / 5)
    lacked = {(one.of, one.kind): counted(overview, one.per_second) for one in overview.degradations}
    assert lacked["search", "not_ranked"] == 1
    tiers = {one.tier: counted(overview, one.per_second) for one in overview.caches if one.cache == "answers"}
    # The second and third of the same search are the first one's answer.
    assert tiers == {"process": 2, "pipeline": 2}
    models = {one.model: one for one in overview.models}
    assert sum(models["embedder"].batch_items.counts) == 2
    assert models["embedder"].batch_items.mean == 1
    assert sum(models["ranker"].live_wait_s.counts) >= 1
    assert not models["ranker"].HasField("bulk_wait_s")
    assert {one.stage for one in overview.stages if one.of == "search"} >= {"embed", "retrieve", "rank", "total"}
    (process,) = overview.processes
    assert process.memory_bytes > 1e6
    assert 0 < process.start_time.seconds <= overview.time.seconds
    assert list(overview.silent) == []


async def test_the_processes_named_are_read_and_those_that_are_silent_said(open_ops: Any) -> None:
    registry = CollectorRegistry()
    calls = Counter("vitrine_calls", "", ["method", "code"], registry=registry)
    server, thread = start_http_server(0, "127.0.0.1", registry=registry)
    # A name that resolves to this machine, and a port of it where nobody listens.
    shop = await open_ops(ops_processes=f"localhost:{server.server_port}, 127.0.0.1:1, nowhere.invalid:9464")
    await shop.overview()
    calls.labels("/x/Y", "OK").inc(7)
    calls.labels("/x/Y", "INTERNAL").inc(3)
    overview = await shop.overview()
    server.shutdown()
    server.server_close()
    thread.join()
    (method,) = overview.methods
    assert (method.method, counted(overview, method.per_second)) == ("/x/Y", 10)
    assert method.failed_share == pytest.approx(0.3)
    assert [one.address for one in overview.processes] == [f"127.0.0.1:{server.server_port}"]
    assert {one.address for one in overview.silent} == {"127.0.0.1:1", "nowhere.invalid:9464"}
    assert all(one.reason for one in overview.silent)


async def test_queries_are_counted_by_what_they_found(ops_shop: OpsShop, open_ops: Any) -> None:
    for _ in range(2):
        await ops_shop.search("Smart  Watch")
    first = await ops_shop.search("smart watch", page_size=5)
    await ops_shop.search("smart watch", page_token=first.next_page_token, page_size=5)
    await ops_shop.search("wireless headphones", filter=CHEAP)
    await ops_shop.search("qwzx")
    # Another gateway of the same shop adds to the same counts, at the latest when it ends.
    other = await open_ops()
    await other.search("Smart watch")
    await other.gateway.close()
    assert await ops_shop.queries() == {
        "smart watch": (4, 0, 0),
        "qwzx": (1, 0, 1),
        "wireless headphones": (1, 1, 0),
    }
    assert list(await ops_shop.queries("NO_RESULTS", limit=1)) == ["wireless headphones"]
    assert list(await ops_shop.queries("NO_WORDS", limit=1)) == ["qwzx"]


async def test_a_store_that_is_away_costs_no_search_and_no_count(
    open_ops: Any, events_settings: EventsSettings
) -> None:
    proxy = RedisProxy(events_settings.redis_url)
    await proxy.start()
    shop = await open_ops(EventsSettings(redis_url=proxy.url, prefix="shop"))
    assert await shop.queries() == {}
    proxy.away = True
    await proxy.cut()
    assert (await shop.search("coffee machine")).results
    error = await refused(shop.ops.ListQueries(pb.ListQueriesRequest(), timeout=LIMIT_S))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    proxy.mend()
    assert await shop.queries() == {"coffee machine": (1, 0, 0)}
    await shop.gateway.close()
    await proxy.stop()


async def test_clicks_are_ranked_by_where_they_stood(ops_shop: OpsShop) -> None:
    answer = await ops_shop.search("smart watch")
    token = answer.attribution_token
    await ops_shop.tells("SEARCH", "ana", query="Smart Watch", attribution_token=token)
    # By its token the answer to that search; opened, it is the same click.
    await ops_shop.tells("SELECT_ITEM", "ana", ("p003", 9), attribution_token=token)
    await ops_shop.tells("VIEW_ITEM", "ana", ("p003", 9), attribution_token=token)
    await ops_shop.tells("SELECT_ITEM", "ben", ("p004", 3), query="smart watch")
    await ops_shop.tells("SELECT_ITEM", "ben", ("p007", 2), query="phone case")
    # Neither a place that is not known, nor a list that no search made, nor an impression.
    await ops_shop.tells("SELECT_ITEM", "cleo", ("p009", 0), query="red")
    await ops_shop.tells("SELECT_ITEM", "cleo", ("p009", 40), query="red", attribution_token="1.home.t9q9c5.abc")
    await ops_shop.tells("VIEW_ITEM_LIST", "cleo", ("p009", 40), query="red")
    assert await ops_shop.clicked() == {"smart watch": (2, 6.0, 9, "p003"), "phone case": (1, 2.0, 2, "p007")}
    request = pb.ListWorstRankedClicksRequest(least_clicks=2)
    answer = await ops_shop.ops.ListWorstRankedClicks(request, timeout=LIMIT_S)
    assert ([one.query for one in answer.queries], answer.events_read) == (["smart watch"], 8)
    assert answer.since.seconds > 0
    # Only the latest.
    answer = await ops_shop.ops.ListWorstRankedClicks(pb.ListWorstRankedClicksRequest(events=4), timeout=LIMIT_S)
    assert ([one.query for one in answer.queries], answer.events_read) == (["phone case"], 4)
    visitors = user_event_service_pb2_grpc.UserEventServiceStub(ops_shop.channel)
    await visitors.DeleteVisitor(user_event_service_pb2.DeleteVisitorRequest(visitor_id="ana"), timeout=LIMIT_S)
    assert await ops_shop.clicked() == {"smart watch": (1, 3.0, 3, "p004"), "phone case": (1, 2.0, 2, "p007")}


async def test_what_is_wrong_is_named(ops_shop: OpsShop) -> None:
    for call, request, field in (
        ("ListQueries", pb.ListQueriesRequest(limit=501), "limit"),
        ("ListQueries", pb.ListQueriesRequest(limit=-1), "limit"),
        ("ListQueries", pb.ListQueriesRequest(order_by=9), "order_by"),  # type: ignore[arg-type]
        ("ListWorstRankedClicks", pb.ListWorstRankedClicksRequest(events=20_001), "events"),
        ("ListWorstRankedClicks", pb.ListWorstRankedClicksRequest(least_clicks=-1), "least_clicks"),
    ):
        error = await refused(getattr(ops_shop.ops, call)(request, timeout=LIMIT_S))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (error.details() or "").startswith(f"{field}: ")


async def test_it_is_off_unless_enabled_and_needs_the_scope_admin(open_ops: Any, open_guarded: Any) -> None:
    off = await open_ops(ops=False)
    async with off.gateway.http() as port, httpx.AsyncClient(trust_env=False) as client:
        for path in ("/ops", "/ops/ops.js", "/ops/dom.js", "/ops/config.json"):
            assert (await client.get(f"http://127.0.0.1:{port}{path}")).status_code == 404
    error = await refused(off.ops.GetOverview(pb.GetOverviewRequest(), timeout=LIMIT_S))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "VITRINE_GATEWAY_OPS=true" in (error.details() or "")
    guarded = await open_guarded(await open_ops())
    admin, other = guarded.key("boss", Scope.ADMIN), guarded.key("shop", Scope.SEARCH, Scope.EVENTS)
    guarded.guard._keys.look()
    # The page holds nothing; all that it shows is asked for with a key.
    page = await guarded.http.get("/ops")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert (await guarded.http.get("/ops/dom.js")).status_code == 200
    assert (await guarded.http.get("/ops/%2e%2e/routes.py")).status_code == 404
    for call in ("GetOverview", "ListQueries", "ListWorstRankedClicks"):
        statuses = []
        for key in ("", other, admin):
            headers = {"authorization": f"Bearer {key}"} if key else {}
            statuses.append(await guarded.http.post(f"/vitrine.v1.OpsService/{call}", json={}, headers=headers))
        assert [one.status_code for one in statuses] == [401, 403, 200]


async def test_without_an_event_store_there_are_rates_alone(open_ops: Any) -> None:
    shop = await open_ops(EventsSettings())
    await asyncio.gather(shop.search("watch"), shop.overview())
    for call, request in (
        (shop.ops.ListQueries, pb.ListQueriesRequest()),
        (shop.ops.ListWorstRankedClicks, pb.ListWorstRankedClicksRequest()),
    ):
        error = await refused(call(request, timeout=LIMIT_S))
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "VITRINE_EVENTS_REDIS_URL" in (error.details() or "")
