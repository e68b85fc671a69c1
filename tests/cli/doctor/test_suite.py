"""A running suite: parts away, of other models, behind, not trusted; and one whole run."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection

from cli.doctor.examine import examine
from cli.doctor.findings import Verdict
from cli.doctor.suite import Replica, Suite, open_suite
from cli.up.ports import free_port
from gateway.auth.api_keys import add_key, new_key
from gateway.auth.guard import open_guard
from gateway.auth.scopes import Scope
from gateway.auth.settings import AuthSettings
from gateway.settings import GatewaySettings
from services.embedder.engines import EmbedderEngines
from services.embedder.settings import EmbedderSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.cli.doctor.conftest import (
    DIGEST,
    Running,
    embedder_services,
    is_well,
    product,
    retriever_services,
    seen,
    tells,
    vectors,
)
from tests.vitrine.certificates import Authority
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.guard import Door
from vitrine.ports import IndexInfo
from vitrine.ports.release import Release


async def test_a_whole_run(running: Running, redis_url: str, monkeypatch: Any, capsys: Any) -> None:
    """In one process with the retriever, whose metrics the gateway shows."""
    monkeypatch.setenv("VITRINE_GATEWAY_REDIS_URL", redis_url)
    monkeypatch.setenv("VITRINE_GATEWAY_CACHE_WAIT_S", "30")
    monkeypatch.setenv("VITRINE_GATEWAY_EMBED_TIMEOUT_S", "30")
    monkeypatch.setenv("VITRINE_GATEWAY_RETRIEVE_PATIENCE_S", "30")
    monkeypatch.setenv("VITRINE_GATEWAY_RANK_TIMEOUT_S", "30")
    status = await examine(running.address, running.http, (), as_json=True)
    told = json.loads(capsys.readouterr().out)
    by_check = {finding["check"]: finding for finding in told["findings"] if finding["verdict"] == "ok"}
    assert by_check["parts.health"]["seen"] == "one process is the whole suite"
    assert "3 products" in by_check["index.recall"]["seen"]
    assert by_check["search.probe"]["seen"].startswith("a search takes ")
    assert {"embed", "retrieve", "rank", "total"} <= set(by_check["search.probe"]["seen"].replace(",", "").split())
    # The tests' Valkey is a cache without a bound, and evicts nothing; no event store is set.
    wrong = {(finding["check"], finding["verdict"]) for finding in told["findings"] if finding["verdict"] != "ok"}
    assert wrong == {("redis.cache", "problem"), ("redis.cache", "warning"), ("search.probe", "warning")}, told
    assert status == 1


async def test_where_nobody_tells_whether_it_is_one_process_one_line_names_the_parts_without_a_port(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere, parts = free_port(), ("embedder", "retriever", "ranker")

    async def resolved(_target: str) -> list[tuple[str, int]]:
        return [("127.0.0.1", nowhere)]

    monkeypatch.setattr("cli.doctor.suite.resolved", resolved)
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        for part in parts:
            await tells("parts.health", Verdict.PROBLEM, part, "does not answer", examined=suite)
    for part in parts:
        monkeypatch.delenv(f"VITRINE_GATEWAY_{part.upper()}_TARGET")
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        for name in ("parts.health", "models.agreement", "index.recall"):
            [unseen] = [one for one in await seen(name, suite) if one.verdict != Verdict.OK]
            assert unseen.verdict == Verdict.UNKNOWN
        await tells("parts.health", Verdict.UNKNOWN, *parts, "in the gateway's process", "scope admin", examined=suite)
        for name in ("parts.contract", "certificates.shown"):
            await is_well(name, suite)


async def test_as_separate_parts_all_are_well(suite: Suite) -> None:
    found = await seen("parts.health", suite)
    assert [finding.verdict for finding in found] == [Verdict.OK] * 4
    for name in ("parts.contract", "models.agreement", "index.recall", "releases.state", "certificates.shown"):
        await is_well(name, suite)
    for name in ("redis.cache", "redis.events"):
        await tells(name, Verdict.UNKNOWN, "is not set here", examined=suite)
    await tells("clocks.stores", Verdict.UNKNOWN, "is set here", examined=suite)
    await tells("search.http", Verdict.PROBLEM, "does not answer", "--http", examined=suite)
    await tells("clocks.gateway", Verdict.UNKNOWN, "tells no Date", examined=suite)


async def test_there_is_one_of_a_part_on_another_machine(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    # To the system this machine too, and by its address another.
    monkeypatch.setenv("VITRINE_GATEWAY_RANKER_TARGET", f"0.0.0.0:{running.servers['ranker'].port}")
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        await tells("parts.health", Verdict.WARNING, "there is one ranker", "run two", examined=suite)


async def test_the_gateway_s_clock_and_http(running: Running) -> None:
    async with open_suite(running.address, running.http) as suite:
        await is_well("clocks.gateway", suite)
        await is_well("search.http", suite)


async def test_a_part_is_away(running: Running, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    await running.servers["ranker"].stop(0)
    await tells("parts.health", Verdict.PROBLEM, "ranker 127.0.0.1", "VITRINE_GATEWAY_RANKER_TARGET", examined=suite)
    await tells("models.agreement", Verdict.UNKNOWN, "does not tell its models", examined=suite)
    await tells("search.probe", Verdict.WARNING, "NOT_RANKED", "see parts.health of the ranker", examined=suite)
    await running.servers["gateway"].stop(0)
    await tells("parts.health", Verdict.PROBLEM, "gateway 127.0.0.1", "does not answer", examined=suite)
    await tells("search.probe", Verdict.PROBLEM, "a search fails", examined=suite)


async def test_a_part_is_not_serving(start_server: Any, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    fails, failed = asyncio.Event(), asyncio.Event()

    async def self_test() -> None:
        if fails.is_set():
            failed.set()
            raise RuntimeError("the model gives NaN")

    server = await start_server(embedder_services(running.embedder), self_test=self_test, self_test_interval_s=0.01)
    fails.set()
    await failed.wait()
    monkeypatch.setenv("VITRINE_GATEWAY_EMBEDDER_TARGET", f"127.0.0.1:{server.port}")
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        await tells("parts.health", Verdict.PROBLEM, "answers, and is not serving", "its log says why", examined=suite)


async def test_replicas_of_other_models(
    running: Running, start_server: Any, tmp_path: Path, monkeypatch: Any, make_embedder_bundle: Any, channel_to: Any
) -> None:
    budget = ComputeBudget(threads=1)
    other = await EmbedderEngines.open(EmbedderSettings(bundle=make_embedder_bundle(max_tokens=128)), budget)
    behind = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "other"))
    for number in range(2):
        await behind.upsert_products([product(number)], vectors(1), model_digest=DIGEST, deadline=Deadline.after(60))
    ports = {
        "embedder": (await start_server(embedder_services(other))).port,
        "retriever": (await start_server(retriever_services(behind))).port,
    }
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        more = tuple(Replica(part, f"127.0.0.1:{port}", channel_to(port)) for part, port in ports.items())
        mixed = Suite(suite.address, suite.http_url, suite.gateway, (*suite.replicas, *more), suite.page)
        await tells("models.agreement", Verdict.PROBLEM, "models of the embedder differ", examined=mixed)
        await tells("models.agreement", Verdict.PROBLEM, "models of the retriever differ", examined=mixed)
        await tells("models.agreement", Verdict.PROBLEM, f"holds vectors of {DIGEST[:19]}", "a release", examined=mixed)
        await tells("index.recall", Verdict.WARNING, "different revisions", examined=mixed)
    await behind.close()
    await other.close()
    await budget.close()


async def test_recall_is_below_its_floor(running: Running, start_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    well = running.retriever.get_index

    async def unwell(*, deadline: Deadline) -> IndexInfo:
        return replace(await well(deadline=deadline), recall=0.71, alerts=("recall is 0.71, below 0.9",))

    monkeypatch.setattr(running.retriever, "get_index", unwell)
    server = await start_server(retriever_services(running.retriever))
    monkeypatch.setenv("VITRINE_GATEWAY_RETRIEVER_TARGET", f"127.0.0.1:{server.port}")
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        await tells("index.recall", Verdict.PROBLEM, "finds 71.0%", "below its floor 90.0%", examined=suite)
        await tells("index.recall", Verdict.PROBLEM, "alerts: recall is 0.71", examined=suite)


async def test_a_retriever_does_not_follow_postgresql(
    suite: Suite, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_CATALOGUE_URL", postgres_url)
    monkeypatch.setenv("VITRINE_RETRIEVER_CATALOGUE_POLL_S", "0.01")
    shared = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "shared", catalogue_url=postgres_url))
    for number in range(2):
        await shared.upsert_products([product(number)], vectors(1), model_digest=DIGEST, deadline=Deadline.after(60))
        if not number:
            await is_well("postgres.followers", suite)
    await tells("postgres.followers", Verdict.PROBLEM, "shows revision 1 and PostgreSQL has 2", examined=suite)
    await shared.close()


def _older(server: grpc.aio.Server) -> None:
    """Tells by reflection a contract that lacks Explain, as a ranker of an earlier version would."""
    pool, own = descriptor_pool.DescriptorPool(), descriptor_pool.Default()

    def add(file: Any) -> None:
        for one in file.dependencies:
            add(one)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        for service in proto.service:
            for method in [method for method in service.method if method.name == "Explain"]:
                service.method.remove(method)
        pool.Add(proto)

    add(own.FindFileByName("vitrine/v1/ranker_service.proto"))
    reflection.enable_server_reflection(["vitrine.v1.RankerService", reflection.SERVICE_NAME], server, pool)


async def test_a_part_of_an_earlier_version_and_one_that_does_not_say(
    running: Running, start_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old_ranker(server: grpc.aio.Server) -> Sequence[str]:
        _older(server)
        return []

    old = await start_server(old_ranker, reflection=False)
    silent = await start_server(embedder_services(running.embedder), reflection=False)
    monkeypatch.setenv("VITRINE_GATEWAY_RANKER_TARGET", f"127.0.0.1:{old.port}")
    monkeypatch.setenv("VITRINE_GATEWAY_EMBEDDER_TARGET", f"127.0.0.1:{silent.port}")
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        await tells("parts.contract", Verdict.PROBLEM, "older than this", "RankerService.Explain", examined=suite)
        await tells(
            "parts.contract", Verdict.UNKNOWN, "reflection is off", "VITRINE_EMBEDDER_REFLECTION", examined=suite
        )


async def test_where_parts_are_is_not_known(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_GATEWAY_EMBEDDER_TARGET", "embedder..svc:50052")
    monkeypatch.delenv("VITRINE_GATEWAY_RANKER_TARGET")
    # Another machine, as far as its name goes.
    async with open_suite("gateway.shop.invalid:50051", f"127.0.0.1:{free_port()}") as suite:
        assert suite.unset == ("ranker",)
        await tells(
            "parts.health", Verdict.UNKNOWN, "ranker of gateway.shop", "VITRINE_GATEWAY_RANKER_TARGET", examined=suite
        )
        await tells("parts.health", Verdict.PROBLEM, "embedder..svc", "correct", examined=suite)
        await tells("models.agreement", Verdict.UNKNOWN, "not known here: embedder, ranker", examined=suite)


async def test_a_release_whose_part_is_gone(running: Running, suite: Suite) -> None:
    store = running.retriever.releases
    for name, ranker in {"first": "", "second": "sha256:" + "c" * 64}.items():
        await store.write_release(Release(name, ranker_digest=ranker), deadline=Deadline.after(60))
    await store.serve_release("first", expected_serving="", deadline=Deadline.after(60))
    await store.serve_release("second", expected_serving="first", deadline=Deadline.after(60))
    async with asyncio.timeout(60):
        while not any("release second serves" in one.seen for one in await seen("releases.state", suite)):
            pass
    await tells("releases.state", Verdict.PROBLEM, "release second serves, and", examined=suite)


async def test_keys_are_asked_for(
    start_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: Running
) -> None:
    add_key(tmp_path / "keys.json", new_key("shop", (Scope.SEARCH,), None, None)[1])
    auth = AuthSettings(keys_file=tmp_path / "keys.json", audit_file=tmp_path / "audit.log")
    guard = open_guard(auth, GatewaySettings(redis_url=""))
    server = await start_server(running.gateway.add_to, door=Door(guard))
    async with open_suite(f"127.0.0.1:{server.port}", running.http) as suite:
        await tells("search.probe", Verdict.UNKNOWN, "a search is refused", "scope search", examined=suite)
        await tells("releases.state", Verdict.UNKNOWN, "releases are not told", "scope admin", examined=suite)
    assert guard is not None
    await guard.close()


async def test_certificates_that_servers_show(
    start_server: Any, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tomorrow = Authority(tmp_path), datetime.now(UTC) + timedelta(days=1)
    door = Door(tls=authority.server(mutual=True, not_after=tomorrow))
    server = await start_server(embedder_services(running.embedder), door=door)
    monkeypatch.setenv("VITRINE_GATEWAY_EMBEDDER_TARGET", f"127.0.0.1:{server.port}")
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        await tells("certificates.shown", Verdict.PROBLEM, "embedder 127.0.0.1", "ends in 1.0 days", examined=suite)
        await tells("certificates.shown", Verdict.PROBLEM, "called in the clear", "VITRINE_TLS_CA", examined=suite)
    identity = authority.issue("doctor")
    monkeypatch.setenv("VITRINE_TLS_CERTIFICATE", str(identity.certificate))
    monkeypatch.setenv("VITRINE_TLS_KEY", str(identity.key))
    monkeypatch.setenv("VITRINE_TLS_CA", str(authority.file))
    authority.issue("server", not_after=datetime.now(UTC) + timedelta(days=300))
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as suite:
        assert any("embedder" in one.seen and "is serving" in one.seen for one in await seen("parts.health", suite))
        await tells("certificates.shown", Verdict.PROBLEM, "retriever", "speaks no TLS", examined=suite)
