"""Searches of the whole: cold against its stages' compute, hot against a no-op, and what the gateway adds."""

import time
from collections.abc import Callable, Iterator
from statistics import median

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.alone import AloneSearch, Compute
from bench.figure import Figure
from bench.run import Run
from bench.served import shop
from loadtest.mixes import fresh_queries, popular_queries, zipf_draws
from vitrine.v1 import search_service_pb2, search_service_pb2_grpc

POPULAR = 10_000
FRESH = 5_000
_TIMEOUT_S = 60.0
# The stages alone rank every candidate, so here the suite does, too.
_ALL_RANKED = {"VITRINE_RANKER_MISSED_RESULTS": "0"}
# What the gateway adds does not hang on how long the ranker takes; how well it is told from noise does.
_OVERHEAD_DEPTH = 1


def searches(queries: list[str]) -> list[Message]:
    """A request for each query."""
    return [search_service_pb2.SearchRequest(query=query) for query in queries]


def cold(run: Run) -> Iterator[Figure]:
    """Searches that nobody made before, one process saturated, against the sum of the stages' compute."""
    with shop(run.folder, "one process", _ALL_RANKED) as target, _alone(run) as alone:
        served, computes, errors = [], [], 0
        for number in range(run.rounds):
            queries = fresh_queries(FRESH, run.seed + number)
            computes.append(_computed(run, alone, queries[::-1]))
            measured = run.load("search_cold", target, searches(queries))
            served.append(measured.rps)
            errors += measured.errors
    yield Figure(
        "cold search ÷ compute alone, one process",
        tuple(rps * _total_s(one) for rps, one in zip(served, computes, strict=True)),
        {"searches/s": median(served), **_parts_ms([one for of_round in computes for one in of_round])},
        errors,
    )


def hot(run: Run, shape: str) -> Iterator[Figure]:
    """Searches as popular as Zipf's law has them, each made before, against no-op calls of the same server."""
    with shop(run.folder, shape) as target:
        yield hot_of(run, shape, target)


def hot_of(run: Run, shape: str, target: str) -> Figure:
    """The hot figure of a server that runs."""
    draws = zipf_draws(popular_queries(POPULAR, seed=1), run.draws, run.seed)
    no_ops, hots, p50_ms, errors = [], [], [], warmed(run, target, draws)
    for _ in range(run.rounds):
        no_ops.append(run.load("noop", target, [health_pb2.HealthCheckRequest()]).rps)
        measured = run.load("search_hot", target, searches(draws))
        hots.append(measured.rps)
        p50_ms.append(measured.p50_ms)
        errors += measured.errors
    return Figure(
        f"hot search ÷ no-op, {shape}",
        tuple(one / other for one, other in zip(hots, no_ops, strict=True)),
        {
            "searches/s": median(hots),
            "no-ops/s": median(no_ops),
            "p50 ms": median(p50_ms),
            "different queries": len(set(draws)),
        },
        errors,
    )


def warmed(run: Run, target: str, draws: list[str]) -> int:
    """Asks each of the queries; returns how many calls failed."""
    distinct = list(dict.fromkeys(draws))
    ends, errors = ["--total", str(len(distinct))], 0
    # Twice for those that were not ranked whole, because the gateway did not know yet what ranking costs here.
    for _ in range(2):
        errors += run.load("search_cold", target, searches(distinct), ends).errors
    return errors


def overhead(run: Run, shape: str) -> Iterator[Figure]:
    """What a search of a lone caller takes beyond what its stages compute, one candidate ranked."""
    with shop(run.folder, shape) as target, _alone(run) as alone:
        yield _overhead_of(run, shape, target, alone)


def _overhead_of(run: Run, shape: str, target: str, alone: AloneSearch) -> Figure:
    added_ms: list[list[float]] = []
    no_ops_ms: list[float] = []
    computes: list[Compute] = []
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub, health = search_service_pb2_grpc.SearchServiceStub(channel), health_pb2_grpc.HealthStub(channel)
        for number in range(run.rounds):
            ends_at_s, of_round = time.monotonic() + 2 * run.seconds, []
            for query in fresh_queries(FRESH, run.seed + 100 + number):
                # The same query, in turns, so that what else the machine does meets both.
                compute = alone.search(query, depth=_OVERHEAD_DEPTH)
                request = search_service_pb2.SearchRequest(query=query, rank_depth=_OVERHEAD_DEPTH)
                of_round.append(_timed_ms(stub.Search, request) - compute.total_s * 1e3)
                computes.append(compute)
                # Behind the same work, since code that rested while models ran takes several times as long.
                alone.search(query, depth=_OVERHEAD_DEPTH)
                no_ops_ms.append(_timed_ms(health.Check, health_pb2.HealthCheckRequest()))
                if time.monotonic() > ends_at_s:
                    break
            added_ms.append(of_round)
    return Figure(
        f"ms added by the gateway, {shape}",
        tuple(median(of_round) for of_round in added_ms),
        {"searches": sum(map(len, added_ms)), "no-op ms": median(no_ops_ms), **_parts_ms(computes)},
    )


def _timed_ms(call: Callable[..., Message], request: Message) -> float:
    started_s = time.perf_counter()
    call(request, timeout=_TIMEOUT_S)
    return (time.perf_counter() - started_s) * 1e3


def _alone(run: Run) -> AloneSearch:
    return AloneSearch(run.folder / "data", run.folder / "copy")


def _computed(run: Run, alone: AloneSearch, queries: list[str]) -> list[Compute]:
    ends_at_s, computes = time.monotonic() + run.seconds, []
    for query in queries:
        computes.append(alone.search(query))
        if time.monotonic() > ends_at_s:
            break
    return computes


def _total_s(computes: list[Compute]) -> float:
    return sum(one.total_s for one in computes) / len(computes)


def _parts_ms(computes: list[Compute]) -> dict[str, float]:
    return {
        "embed ms": median(one.embed_s for one in computes) * 1e3,
        "retrieve ms": median(one.retrieve_s for one in computes) * 1e3,
        "rank ms": median(one.rank_s for one in computes) * 1e3,
    }
