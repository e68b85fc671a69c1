"""Who may call what, over real gRPC and HTTP, and what the audit log says of it."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import generate_latest

from gateway.auth.api_keys import remove_key
from gateway.auth.guard import open_guard
from gateway.auth.scopes import SCOPES, Scope
from gateway.auth.settings import AuthSettings
from gateway.settings import GatewaySettings
from gateway.unary_calls import SERVICES
from vitrine.status import DETAILS_KEY
from vitrine.v1 import catalog_service_pb2, product_pb2, search_service_pb2

SEARCH = "/vitrine.v1.SearchService/Search"
DELETE = "/vitrine.v1.CatalogService/DeleteProducts"
UPSERT = "/vitrine.v1.CatalogService/UpsertProducts"
METHODS = {
    f"/{service}/{method.name}": method
    for service in SERVICES
    for method in descriptor_pool.Default().FindServiceByName(service).methods
}
REFUSED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


def test_the_table_has_every_public_call_and_no_other() -> None:
    assert set(METHODS) | {"/recommend", "/metrics"} == set(SCOPES)


async def test_every_call_needs_its_scope_over_grpc_and_http(open_guarded: Any) -> None:
    shop = await open_guarded()
    keys = {scope: shop.key(f"only-{scope}", scope) for scope in Scope}
    others = {scope: shop.key(f"not-{scope}", *(set(Scope) - {scope})) for scope in Scope}
    shop.guard._keys.look()
    for method, scope in SCOPES.items():
        if method in METHODS:
            assert await shop.call(method) is grpc.StatusCode.UNAUTHENTICATED, method
            assert await shop.call(method, key=others[scope]) is grpc.StatusCode.PERMISSION_DENIED, method
            # Refused for what the request lacks, or done: but let in.
            assert await shop.call(method, b"\x00", keys[scope]) not in REFUSED, method
        verb = "GET" if method == "/metrics" else "POST"

        async def status(key: str, method: str = method, verb: str = verb) -> int:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            reply = await shop.http.request(verb, method, headers=headers | {"Content-Type": "application/json"})
            return int(reply.status_code)

        statuses = [await status(key) for key in ("", others[scope], keys[scope])]
        if statuses[0] == 404:
            assert METHODS[method].client_streaming
        else:
            assert statuses[:2] == [401, 403], method
            assert statuses[2] not in (401, 403), method


async def test_a_refusal_says_what_is_missing(open_guarded: Any) -> None:
    shop = await open_guarded()
    key = shop.key("storefront", Scope.SEARCH)
    shop.guard._keys.look()
    code, message, trailers = await shop.failure(DELETE, key=key)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert message == "this call needs the scope catalogue, and key:storefront has search"
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(trailers[DETAILS_KEY]).details[0].Unpack(info)
    assert info.reason == "SCOPE_MISSING"
    assert info.metadata == {"method": DELETE, "scope": "catalogue", "principal": "key:storefront"}
    reply = await shop.http.post(DELETE, json={})
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["code"] == "unauthenticated"
    assert reply.json()["details"][0]["debug"]["reason"] == "CREDENTIALS_MISSING"


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-api-key": "vtr_0000000000000000_nobody"},
        {"x-api-key": "{key}x"},
        {"x-api-key": "vtr_"},
        {"authorization": "Bearer {key}x"},
        {"authorization": "Bearer"},
        {"authorization": "Basic {key}"},
        {"authorization": "{key}"},
    ],
)
async def test_wrong_credentials_are_refused_even_where_none_are_needed(open_guarded: Any, wrong: Any) -> None:
    shop = await open_guarded(anonymous_scopes=(Scope.SEARCH,))
    key = shop.key("storefront", Scope.SEARCH)
    shop.guard._keys.look()
    headers = {name: value.format(key=key) for name, value in wrong.items()}
    code, message, _ = await shop.failure(SEARCH, **headers)
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert key not in message
    assert (await shop.http.post("/recommend", json={"query": "watch"}, headers=headers)).status_code == 401
    assert (await shop.http.post("/recommend", json={"query": "watch"})).status_code == 200


async def test_health_is_open_and_writes_are_closed_to_who_has_no_key(open_guarded: Any) -> None:
    shop = await open_guarded(anonymous_scopes="search, events")
    assert (await shop.http.get("/healthz")).status_code == 200
    assert (await shop.http.get("/readyz")).status_code == 200
    assert await shop.call("/grpc.health.v1.Health/Check") is grpc.StatusCode.OK
    body = search_service_pb2.SearchRequest(query="watch").SerializeToString()
    assert await shop.call(SEARCH, body) is grpc.StatusCode.OK
    assert await shop.call(DELETE) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("scope", ["catalogue", "admin"])
def test_writes_are_never_open_beside_keys(scope: str) -> None:
    with pytest.raises(ValueError, match="credentials only"):
        AuthSettings.model_validate({"anonymous_scopes": scope})


async def test_a_revoked_key_and_a_bad_file(open_guarded: Any, caplog: pytest.LogCaptureFixture) -> None:
    shop = await open_guarded()
    key = shop.key("storefront", Scope.SEARCH)
    body = search_service_pb2.SearchRequest(query="watch").SerializeToString()
    async with asyncio.timeout(10):
        while await shop.call(SEARCH, body, key) is not grpc.StatusCode.OK:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    good = shop.keys_file.read_text()
    for bad in ("{", "", '{"keys": []', json.dumps({"keys": [{"name": "storefront", "sha256": key}]})):
        shop.keys_file.write_text(bad)
        assert not shop.guard._keys.look()
        assert await shop.call(SEARCH, body, key) is grpc.StatusCode.OK
        assert await shop.call(SEARCH, body) is grpc.StatusCode.UNAUTHENTICATED
    assert b'vitrine_file_refused{file="keys"} 1.0' in generate_latest()
    assert "what it held before goes on" in caplog.text
    assert key not in caplog.text
    shop.keys_file.unlink()
    assert not shop.guard._keys.look()
    assert await shop.call(SEARCH, body) is grpc.StatusCode.UNAUTHENTICATED
    shop.keys_file.write_text(good)
    remove_key(shop.keys_file, "storefront")
    async with asyncio.timeout(10):
        while await shop.call(SEARCH, body, key) is not grpc.StatusCode.UNAUTHENTICATED:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert b'vitrine_file_refused{file="keys"} 0.0' in generate_latest()
    # Without its last key the shop is closed, and not open.
    remove_key(shop.keys_file, "unused")
    assert shop.guard._keys.look()
    assert await shop.call(SEARCH, body) is grpc.StatusCode.UNAUTHENTICATED


async def test_an_expired_key_is_refused(open_guarded: Any) -> None:
    shop = await open_guarded()
    key = shop.key("old", Scope.SEARCH, expire_time=datetime.now(UTC) - timedelta(seconds=1))
    shop.guard._keys.look()
    code, message, _ = await shop.failure(SEARCH, key=key)
    assert (code, "key:old has expired" in message) == (grpc.StatusCode.UNAUTHENTICATED, True)


async def test_a_stream_ends_when_its_key_is_revoked(open_guarded: Any, own_shop: Any) -> None:
    shop = await open_guarded(own_shop)
    key = shop.key("loader", Scope.CATALOGUE)
    shop.guard._keys.look()
    request = catalog_service_pb2.CatalogServiceUpsertProductsRequest(
        products=[product_pb2.Product(id="n1", title="Red watch"), product_pb2.Product(id="n2")]
    ).SerializeToString()
    call = shop.channel.stream_stream(UPSERT)(metadata=[("x-api-key", key)], timeout=30)
    for _ in range(2):
        await call.write(request)
        answer = catalog_service_pb2.CatalogServiceUpsertProductsResponse.FromString(await call.read())
        assert [bool(outcome.status.code) for outcome in answer.outcomes] == [False, True]
    remove_key(shop.keys_file, "loader")
    shop.guard._keys.look()
    await call.write(request)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    first, second = shop.audited()
    assert first | {"time": "", "trace_id": "", "peer": ""} == {
        "time": "", "log": "audit", "principal": "key:loader", "method": UPSERT, "peer": "", "outcome": "OK",
        "count": 2, "ids": ["n1", "n2"], "refused": 1, "trace_id": "",
    }  # fmt: skip
    assert first["trace_id"] == second["trace_id"] != ""


async def test_writes_are_in_the_audit_log_before_they_are_answered(open_guarded: Any, own_shop: Any) -> None:
    shop = await open_guarded(own_shop)
    key = shop.key("back-office", Scope.CATALOGUE, Scope.ADMIN)
    reader = shop.key("reader", Scope.SEARCH)
    shop.guard._keys.look()
    headers = {"X-API-Key": key, "traceparent": f"00-{'7' * 32}-{'1' * 16}-01"}
    ids = [f"gone{number}" for number in range(30)]
    assert (await shop.http.post(DELETE, json={"ids": ids}, headers=headers)).status_code == 200
    deleted = shop.audited()[-1]
    assert (deleted["principal"], deleted["outcome"], deleted["count"]) == ("key:back-office", "OK", 30)
    assert (deleted["ids"], deleted["refused"], deleted["trace_id"]) == (ids[:20], 30, "7" * 32)
    assert (await shop.http.post(DELETE, json={"ids": ids}, headers={"X-API-Key": reader})).status_code == 403
    assert shop.audited()[-1]["outcome"] == "PERMISSION_DENIED"
    visitor = "/vitrine.v1.UserEventService/DeleteVisitor"
    await shop.http.post(visitor, json={"visitorId": "anna-1"}, headers=headers)
    assert (shop.audited()[-1]["count"], "anna-1" in shop.audit_file.read_text()) == (1, False)
    lines = len(shop.audited())
    # A log that was moved away is begun anew; one that cannot be written keeps writes from being acknowledged.
    shop.audit_file.rename(shop.audit_file.with_suffix(".1"))
    await shop.http.post(DELETE, json={"ids": ["a"]}, headers=headers)
    assert (len(shop.audited()), lines) == (1, 3)
    shop.audit_file.unlink()
    shop.audit_file.mkdir()
    reply = await shop.http.post(DELETE, json={"ids": ["a"]}, headers=headers)
    assert (reply.status_code, reply.json()["details"][0]["debug"]["reason"]) == (503, "AUDIT_UNAVAILABLE")


async def test_no_key_is_in_logs_errors_metrics_or_audit(open_guarded: Any, caplog: pytest.LogCaptureFixture) -> None:
    shop = await open_guarded()
    key = shop.key("back-office", Scope.CATALOGUE)
    shop.guard._keys.look()
    caplog.set_level(logging.DEBUG)
    said = []
    for sent in (key, key + "x"):
        for method in (SEARCH, DELETE):
            said.append((await shop.failure(method, b"\xff", sent))[1])
            for headers in ({"X-API-Key": sent}, {"Authorization": f"Bearer {sent}"}):
                said.append((await shop.http.post(method, content="{", headers=headers)).text)
    secret = key.split("_", 2)[2]
    # The test's own client logs what it sends.
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpcore", "httpx"))]
    told = [*said, *logged, generate_latest().decode(), shop.audit_file.read_text(), repr(shop.guard._keys.current)]
    assert [text for text in told if secret in text] == []
    assert any("call failed" in line for line in logged)


def test_open_to_all_is_said_loudly_and_only_where_others_can_come(caplog: pytest.LogCaptureFixture) -> None:
    assert open_guard(AuthSettings(), GatewaySettings()) is None
    assert caplog.text == ""
    for host in ("0.0.0.0", "::", "10.1.2.3"):
        caplog.clear()
        assert open_guard(AuthSettings(), GatewaySettings(host=host)) is None
        assert caplog.text.count("OPEN TO EVERYBODY") == 1
