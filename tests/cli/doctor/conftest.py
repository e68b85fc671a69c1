"""What the doctor's tests share: settings that nothing else sets, checks made by name, and a small suite."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest

from cli.doctor.check import made
from cli.doctor.findings import Finding, Verdict
from cli.doctor.machine import Machine
from cli.doctor.registry import CHECKS
from cli.doctor.suite import Suite, open_suite
from cli.up.ports import free_port
from gateway.clients.embedder import EmbedderClient
from gateway.clients.ranker import RankerClient
from gateway.clients.release_store import ReleaseStoreClient
from gateway.clients.retriever import RetrieverClient
from gateway.events.settings import EventsSettings
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from services.embedder.engines import EmbedderEngines
from services.embedder.servicer import EmbedderServicer
from services.embedder.settings import EmbedderSettings
from services.ranker.engines import RankerEngines
from services.ranker.servicer import RankerServicer
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.releases.servicer import ReleaseStoreServicer
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from tests.services.ranker.conftest import write_ranker_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import InputType
from vitrine.product import Product, checked_product
from vitrine.v1 import (
    embedder_service_pb2_grpc,
    ranker_service_pb2_grpc,
    release_store_service_pb2_grpc,
    retriever_service_pb2_grpc,
)
from vitrine.vectors import FloatArray, l2_normalized

DIGEST = "sha256:" + "a" * 64
_LIMIT_S = 60.0


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None but those that the test sets, no data of this machine, and no port that may be taken."""
    for name in [*os.environ]:
        if name.startswith(("VITRINE_", "REDIS_URL")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VITRINE_RETRIEVER_DATA_DIR", str(tmp_path / "data"))


async def seen(name: str, examined: object = None) -> list[Finding]:
    """What a check sees, by its name."""
    [one] = [one for one in CHECKS if one.name == name]
    return await made(one, examined or Machine())


async def is_well(name: str, examined: object = None) -> None:
    """Fails unless all that the check sees is as it should be."""
    found = await seen(name, examined)
    assert {finding.verdict for finding in found} == {Verdict.OK}, found


async def tells(name: str, verdict: Verdict, *words: str, examined: object = None) -> Finding:
    """The first finding of the check that has the verdict and all the words, and says what to do."""
    return among(await seen(name, examined), verdict, *words)


def among(found: Sequence[Finding], verdict: Verdict, *words: str) -> Finding:
    """The same of findings."""
    for finding in found:
        if finding.verdict == verdict and all(word in f"{finding.seen} -> {finding.todo}" for word in words):
            assert finding.todo
            return finding
    raise AssertionError(f"{verdict} with {words} is not among {found}")


def product(number: int, **fields: Any) -> Product:
    """A product by its number."""
    return checked_product(Product(id=f"p{number}", title=f"red watch {number}", **fields))


def vectors(count: int, dim: int = 8) -> FloatArray:
    """(count, dim) float32, L2-normalised."""
    return l2_normalized(np.random.default_rng(3).normal(size=(count, dim)).astype(np.float32))


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    """A folder that a retriever has written three products to, and left."""
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "data"))
    await engine.upsert_products(
        [product(number) for number in range(3)],
        vectors(3),
        model_digest=DIGEST,
        deadline=Deadline.after(_LIMIT_S),
    )
    await engine.close()
    return tmp_path / "data"


AddServices = Callable[[grpc.aio.Server], Sequence[str]]


def embedder_services(engine: Any) -> AddServices:
    """What an embedder serves."""

    def add(server: grpc.aio.Server) -> Sequence[str]:
        embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(EmbedderServicer(engine, _LIMIT_S), server)
        return ["vitrine.v1.EmbedderService"]

    return add


def retriever_services(engine: RetrieverEngine) -> AddServices:
    """What a retriever serves."""

    def add(server: grpc.aio.Server) -> Sequence[str]:
        retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(RetrieverServicer(engine, _LIMIT_S), server)
        release_store_service_pb2_grpc.add_ReleaseStoreServiceServicer_to_server(
            ReleaseStoreServicer(engine.releases, _LIMIT_S), server
        )
        return ["vitrine.v1.RetrieverService", "vitrine.v1.ReleaseStoreService"]

    return add


def ranker_services(engine: Any) -> AddServices:
    """What a ranker serves."""

    def add(server: grpc.aio.Server) -> Sequence[str]:
        ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(RankerServicer(engine, _LIMIT_S), server)
        return ["vitrine.v1.RankerService"]

    return add


@dataclass
class Running:
    """A suite of small models in this process, each part a gRPC server of its own; `http` is the gateway's port."""

    address: str
    http: str
    embedder: EmbedderEngines
    retriever: RetrieverEngine
    gateway: Gateway
    servers: dict[str, Any]


@pytest.fixture
async def running(
    start_server: Any,
    channel_to: Any,
    redis_url: str,
    make_embedder_bundle: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Running]:
    """Such a suite, with three products, whose targets the environment names."""
    # Another test of this process may have loaded torch, which brings one more.
    monkeypatch.setattr("services.retriever.engine.openmp_runtimes", list)
    budget = ComputeBudget(threads=1)
    (tmp_path / "ranker").mkdir()
    write_ranker_bundle(tmp_path / "ranker")
    embedder = await EmbedderEngines.open(EmbedderSettings(bundle=make_embedder_bundle()), budget)
    ranker = await RankerEngines.open(RankerSettings(bundle=tmp_path / "ranker"), budget)
    retriever = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "data"))
    products = [product(number) for number in range(3)]
    made_of = await embedder.embed(
        [one.title for one in products], input_type=InputType.DOCUMENT, deadline=Deadline.after(_LIMIT_S)
    )
    await retriever.upsert_products(
        products, made_of.vectors, model_digest=made_of.model_digest, deadline=Deadline.after(_LIMIT_S)
    )
    servers = {
        "embedder": await start_server(embedder_services(embedder)),
        "retriever": await start_server(retriever_services(retriever)),
        "ranker": await start_server(ranker_services(ranker)),
    }
    for part, server in servers.items():
        monkeypatch.setenv(f"VITRINE_GATEWAY_{part.upper()}_TARGET", f"127.0.0.1:{server.port}")
    releases = channel_to(servers["retriever"].port)
    ports = Ports(
        EmbedderClient(channel_to(servers["embedder"].port)),
        RetrieverClient(channel_to(servers["retriever"].port)),
        RankerClient(channel_to(servers["ranker"].port)),
        ReleaseStoreClient(releases),
    )
    patient = {"http_port": 0, "cache_wait_s": 30.0, "embed_timeout_s": 30.0, "rank_timeout_s": 30.0}
    settings = GatewaySettings.model_validate({"redis_url": redis_url, **patient})
    gateway = Gateway(settings, ports, EventsSettings())
    servers["gateway"] = await start_server(gateway.add_to, self_test=gateway.self_test)
    async with gateway.http() as http_port:
        yield Running(
            f"127.0.0.1:{servers['gateway'].port}", f"127.0.0.1:{http_port}", embedder, retriever, gateway, servers
        )
    await gateway.drain()
    await gateway.close()
    for engine in (embedder, ranker, retriever):
        await engine.close()
    await budget.close()


@pytest.fixture
async def suite(running: Running) -> AsyncIterator[Suite]:
    """The running suite as the doctor sees it where it cannot read the gateway's metrics.

    In one process with the retriever they hold the retriever's, and it would be taken for one process.
    """
    async with open_suite(running.address, f"127.0.0.1:{free_port()}") as opened:
        yield opened
