"""Who waits for whom: live searches beside bulk ingest, and short texts beside a long one."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median, quantiles
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from bench.figure import Figure
from bench.run import Run
from bench.search_figures import FRESH, searches
from bench.served import service, shop
from cli.sample.products import Shop
from loadtest.mixes import fresh_queries
from vitrine.messages.product import product_to_message
from vitrine.product import checked_product
from vitrine.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    embedder_service_pb2,
    embedder_service_pb2_grpc,
    product_pb2,
)

# Of small batches several in flight, so that the lane is full and yet all ends soon after it shall.
_WRITERS, _BATCH, _DELETED = 6, 32, 1_000
_LIMIT_S = 120.0
# Until ghz has read its requests.
_START_S = 0.5
# Ids of their own, so that the shop that others search stays; they are deleted afterwards.
_BULK = Shop(products=1_000, seed=77)
_CROWD, _LONG_WORDS = 64, 600


def mixed(run: Run) -> Iterator[Figure]:
    """p99 of live searches while writers keep the embedder's bulk lane full, over p99 without them."""
    ratios, alone_ms, beside_ms, written, errors = [], [], [], [], 0
    with shop(run.folder, "one process") as target:
        for number in range(run.rounds):
            quiet = run.load("search_live", target, searches(fresh_queries(FRESH, run.seed + 2 * number)))
            with _ingest(target) as answers:
                begins_s = time.perf_counter()
                busy = run.load("search_live", target, searches(fresh_queries(FRESH, run.seed + 2 * number + 1)))
            written.append(products_per_s(answers, begins_s + _START_S, begins_s + run.seconds))
            ratios.append(busy.p99_ms / quiet.p99_ms)
            alone_ms.append(quiet.p99_ms)
            beside_ms.append(busy.p99_ms)
            errors += quiet.errors + busy.errors
    measured = {"p99 ms": median(alone_ms), "beside": median(beside_ms), "products/s": median(written)}
    yield Figure("p99 under bulk ingest ÷ without", tuple(ratios), measured, errors)


def products_per_s(answers: Sequence[tuple[float, int]], begins_s: float, ends_s: float) -> float:
    """Products written a second, of `answers` (when it came, how many it was for), while the load lasted.

    What the writers have in flight when it ends comes in undisturbed; counted too, it nearly doubled the figure.
    """
    return sum(count for came_s, count in answers if begins_s <= came_s < ends_s) / (ends_s - begins_s)


def long_text(run: Run) -> Iterator[Figure]:
    """p99 of 63 short texts asked for at one moment with one of 512 tokens, over p99 with 64 short ones."""
    with service(run.folder, "embedder") as target:
        yield asyncio.run(_long_text(run, target))


async def _long_text(run: Run, target: str) -> Figure:
    short = [_embed_request(query) for query in fresh_queries(_CROWD, run.seed)]
    long = _embed_request(" ".join(f"word{number}" for number in range(_LONG_WORDS)))
    ratios, alone_ms, beside_ms = [], [], []
    async with grpc.aio.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        embed = embedder_service_pb2_grpc.EmbedderServiceStub(channel).Embed
        # The first calls open connections.
        await _short_ms(embed, short)
        for _ in range(run.rounds):
            ends_at_s, quiet, busy = time.monotonic() + 2 * run.seconds, [], []
            while time.monotonic() < ends_at_s:
                quiet += (await _short_ms(embed, short))[1:]
                # Sent first: whoever waits behind it is among the others.
                busy += (await _short_ms(embed, [long, *short[1:]]))[1:]
            alone_ms.append(quantiles(quiet, n=100)[98])
            beside_ms.append(quantiles(busy, n=100)[98])
            ratios.append(beside_ms[-1] / alone_ms[-1])
    measured = {"p99 ms": median(alone_ms), "beside": median(beside_ms)}
    return Figure("p99 beside a 512-token text ÷ without", tuple(ratios), measured)


async def _short_ms(embed: Any, requests: Sequence[Message]) -> list[float]:
    """Milliseconds that each of some calls of one moment took."""

    async def timed(request: Message) -> float:
        started_s = time.perf_counter()
        await embed(request, timeout=_LIMIT_S)
        return (time.perf_counter() - started_s) * 1e3

    return await asyncio.gather(*map(timed, requests))


def _embed_request(text: str) -> Message:
    return embedder_service_pb2.EmbedRequest(texts=[text], input_type=embedder_service_pb2.INPUT_TYPE_QUERY)


@contextmanager
def _ingest(target: str) -> Iterator[list[tuple[float, int]]]:
    """Writers that send products without pause; yields when each answer came and how many products it was for.

    What they wrote is deleted afterwards.
    """
    ended, answers = threading.Event(), list[tuple[float, int]]()

    def write(writer: int) -> None:
        with _channel(target) as channel:
            stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
            for first in itertools.count(step=_BATCH):
                if ended.is_set():
                    return
                products = [_product(writer, first + number) for number in range(_BATCH)]
                request = catalog_service_pb2.CatalogServiceUpsertProductsRequest(products=products)
                for answer in stub.UpsertProducts(iter([request]), timeout=_LIMIT_S):
                    answers.append((time.perf_counter(), len(answer.outcomes)))

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(_WRITERS)]
    for thread in writers:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in writers:
            thread.join()
        ids = [_id(writer, number) for writer in range(_WRITERS) for number in range(_BULK.products)]
        with _channel(target) as channel:
            stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
            for start in range(0, len(ids), _DELETED):
                request = catalog_service_pb2.CatalogServiceDeleteProductsRequest(ids=ids[start : start + _DELETED])
                stub.DeleteProducts(request, timeout=_LIMIT_S)


def _product(writer: int, number: int) -> product_pb2.Product:
    product = checked_product(_BULK.product(number % _BULK.products))
    # Another title each time, so that its vector has to be made.
    changed = replace(product, id=_id(writer, number % _BULK.products), title=f"{product.title} {number}")
    return product_to_message(changed)


def _id(writer: int, number: int) -> str:
    return f"bench-{writer}-{number}"


def _channel(target: str) -> grpc.Channel:
    return grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])
