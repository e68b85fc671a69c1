"""Embed and rank: a service under gRPC, saturated, against the same session called in a bare loop."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import TypeVar

from google.protobuf.message import Message

from bench.alone import AloneEmbedder, AloneRanker
from bench.figure import Figure
from bench.run import Run
from bench.served import service
from cli.sample.draw import Draw
from cli.sample.products import Shop
from loadtest.mixes import fresh_queries
from vitrine.ports import Candidate, best_bm25_of
from vitrine.product import Product, checked_product
from vitrine.product_text import embedding_text, ranking_text
from vitrine.v1 import embedder_service_pb2, ranker_service_pb2

_BATCH = 32
_SHOP = Shop(products=20_000, seed=1)
_BATCHES = 100
# As stages/rank.json has it, and more calls than a round gets through, so that no cache has a part in it.
_IN_FLIGHT, _CALLS_A_SECOND = 4, 50

T = TypeVar("T")


def embed(run: Run) -> Iterator[Figure]:
    """Documents per second of the embedder in batches of 32."""
    texts = [embedding_text(_product(number)) for number in range(_BATCH * _BATCHES)]
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    alone = AloneEmbedder()
    rows = [[one.ids for one in alone.tokens(batch, "document")] for batch in batches]
    requests: list[Message] = [
        embedder_service_pb2.EmbedRequest(texts=batch, input_type=embedder_service_pb2.INPUT_TYPE_DOCUMENT)
        for batch in batches
    ]
    with service(run.folder, "embedder") as target:
        served, bare, errors = [], [], 0
        for _ in range(run.rounds):
            bare.append(_per_second(run, alone.session.run, rows))
            measured = run.load("embed_documents", target, requests)
            served.append(measured.rps)
            errors += measured.errors
    yield Figure(
        "embed ÷ bare loop",
        tuple(one / other for one, other in zip(served, bare, strict=True)),
        {"documents/s through gRPC": _BATCH * median(served), "in the loop": _BATCH * median(bare)},
        errors,
    )


def rank(run: Run) -> Iterator[Figure]:
    """Pairs per second of the ranker, 32 pairs a call; no pair comes twice."""
    alone, served, bare, errors = AloneRanker(), [], [], 0
    with service(run.folder, "ranker") as target:
        for number in range(run.rounds):
            calls = list(_calls(run.seed + number, count=_CALLS_A_SECOND * run.seconds))
            pairs = [
                pair for query, candidates in calls for pair in alone.pairs(query, candidates, best_bm25_of(candidates))
            ]
            # As many pairs as wait at a time in the server: they can be of as equal length.
            waiting = [
                pairs[start : start + _IN_FLIGHT * _BATCH] for start in range(0, len(pairs), _IN_FLIGHT * _BATCH)
            ]
            turns = [alone.groups(some) for some in waiting]
            bare.append(_IN_FLIGHT * _per_second(run, alone.run_all, turns))
            measured = run.load("rank", target, [_rank_request(query, candidates) for query, candidates in calls])
            served.append(measured.rps)
            errors += measured.errors
    yield Figure(
        "rank ÷ bare loop",
        tuple(one / other for one, other in zip(served, bare, strict=True)),
        {"pairs/s through gRPC": _BATCH * median(served), "in the loop": _BATCH * median(bare)},
        errors,
    )


def _per_second(run: Run, work: Callable[[T], object], items: Sequence[T]) -> float:
    """Items worked off per second in a loop that lasts a round."""
    started_s, done = time.perf_counter(), 0
    while (took_s := time.perf_counter() - started_s) < run.seconds:
        work(items[done % len(items)])
        done += 1
    return done / took_s


def _calls(seed: int, count: int) -> Iterator[tuple[str, list[Candidate]]]:
    draw = Draw(seed, "bench")
    for query in fresh_queries(count, seed):
        numbers = {draw.below(_SHOP.products) for _ in range(2 * _BATCH)}
        products = [replace(_product(number), revision=1) for number in sorted(numbers)[:_BATCH]]
        yield query, [Candidate(product.id, 0.0, (), product) for product in products]


def _rank_request(query: str, candidates: list[Candidate]) -> Message:
    return ranker_service_pb2.RankRequest(
        query=query,
        candidates=[
            ranker_service_pb2.RankCandidate(
                id=one.product_id, text=ranking_text(one.product), revision=one.product.revision
            )
            for one in candidates
            if one.product is not None
        ],
    )


def _product(number: int) -> Product:
    return checked_product(_SHOP.product(number))
