"""A search as a shopper makes it: that it is answered, what the answer did without, and where its time went."""

import statistics
import uuid
from collections.abc import AsyncIterator

import httpx

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.suite import Suite
from gateway.settings import GatewaySettings
from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import PermissionDenied, Unauthenticated, VitrineError
from vitrine.scrape import Silent
from vitrine.v1 import common_pb2, search_service_pb2, search_service_pb2_grpc

_TIMEOUT_S = 10.0
_SEARCHES = 3
# A stage that takes more of its time limit than this is soon cut off under load.
_LATE_SHARE = 0.5
_FIXES = {
    "LEXICAL_ONLY": "see parts.health of the embedder, and VITRINE_GATEWAY_EMBED_TIMEOUT_S",
    "NOT_RANKED": "see parts.health of the ranker, and VITRINE_GATEWAY_RANK_TIMEOUT_S",
    "NO_CACHE": "see redis.cache",
    "RANK_DEPTH_REDUCED": "the ranker is busy: add replicas, or lower VITRINE_GATEWAY_RANK_DEPTH",
    "NO_PERSONALISATION": "see redis.events",
    "NO_POPULARITY": "see redis.events",
    "NO_RECOMMENDER": "see models.agreement",
}


@check(
    "search.probe",
    "suite",
    tells="a search nobody asked before is answered, nothing degraded, and no stage near its time limit",
)
async def probe(suite: Suite) -> AsyncIterator[Finding]:
    """Three searches for a visitor nobody knows; medians of their stages."""
    stub, answers = search_service_pb2_grpc.SearchServiceStub(suite.gateway), []
    try:
        for _ in range(_SEARCHES):
            request = search_service_pb2.SearchRequest(
                query=f"red shoes 红色 {uuid.uuid4().hex[:8]}", visitor_id="vitrine-doctor", page_size=10
            )
            answers.append(await call(stub.Search, request, deadline=Deadline.after(_TIMEOUT_S)))
    except (PermissionDenied, Unauthenticated) as error:
        yield unknown(
            f"a search is refused: {error.message}", "give a key of the scope search (VITRINE_CLIENT_API_KEY_FILE)"
        )
        return
    except VitrineError as error:
        yield problem(f"a search fails: {error.message}", "see parts.health, then the gateway's log")
        return
    degraded = {common_pb2.Degradation.Name(value) for answer in answers for value in answer.degradations}
    for name in sorted(one.removeprefix("DEGRADATION_") for one in degraded):
        yield warning(
            f"searches are answered with less: {name}", _FIXES.get(name, "docs/reliability.md tells what it means")
        )
    stages: dict[str, list[float]] = {}
    for answer in answers:
        for timing in answer.timings:
            stages.setdefault(timing.stage, []).append(timing.duration_ms)
    took_ms = {stage: statistics.median(each) for stage, each in stages.items()}
    settings = GatewaySettings()
    limits_ms = {
        "embed": settings.embed_timeout_s * 1e3,
        "retrieve": settings.retrieve_patience_s * 1e3,
        "rank": settings.rank_timeout_s * 1e3,
    }
    for stage, limit_ms in limits_ms.items():
        if took_ms.get(stage, 0.0) > _LATE_SHARE * limit_ms:
            yield warning(
                f"{stage} takes {took_ms[stage]:.0f} ms of the {limit_ms:.0f} ms that it has",
                "see processors.quota there; add replicas, or a smaller rank depth (docs/performance.md)",
            )
    if not any(answer.results for answer in answers):
        yield warning("a search finds nothing", "vitrine ingest FEED, or see index.recall")
    yield ok(f"a search takes {', '.join(f'{stage} {took:.1f} ms' for stage, took in took_ms.items())}")


@check("search.http", "suite", tells="the gateway's HTTP port is ready, and its metrics can be read")
async def over_http(suite: Suite) -> AsyncIterator[Finding]:
    """/readyz, which asks nobody for a key, and /metrics, which is the scope admin's."""
    # Whether its certificate is trusted is another check's.
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S, verify=False) as client:
        try:
            reply = await client.get(f"{suite.http_url}/readyz")
        except httpx.HTTPError as error:
            yield problem(
                f"{suite.http_url} does not answer: {error or type(error).__name__}",
                "name the gateway's HTTP port by --http",
            )
            return
    if reply.text != "ready\n":
        yield problem(f"{suite.http_url}/readyz says HTTP {reply.status_code}", "see parts.health")
    elif isinstance(suite.page, Silent):
        yield unknown(
            f"its metrics cannot be read: {suite.page.reason}",
            "give a key of the scope admin (VITRINE_CLIENT_API_KEY_FILE)",
        )
    else:
        yield ok(f"{suite.http_url} is ready")
