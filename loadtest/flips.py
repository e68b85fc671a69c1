"""`python -m loadtest.flips`: flips a suite between two releases while clients search and products are written.

Each answer must be, result for result, what one of the two releases gives when nothing happens; what fails, lacks a
part or is neither is counted. With --writes, reviews, which no search for products shows, are written meanwhile; they
change how rare words are, and so scores by words a little: then ids alone are compared, of 9 in 10 results. With
--adopt the embedder of one of the two becomes the catalogue's own in the middle, and flips go on.
"""

import asyncio
import time
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Annotated, Any

import typer

from vitrine.channel import call
from vitrine.client import Client
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    product_pb2,
    release_service_pb2,
    release_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)

_LIMIT_S = 30.0
_QUERIES = (
    "智能手表",
    "wireless headphones",
    "手机壳",
    "running shoes",
    "红色 连衣裙",
    "coffee machine",
    "背包",
    "desk lamp",
)

Shown = tuple[tuple[str, float], ...]


@dataclass
class _Counts:
    """What became of the searches, and how long each took; `flips_ms` of the flips themselves."""

    failed: int = 0
    degraded: int = 0
    mixed: int = 0
    written: int = 0
    times_ms: list[float] = field(default_factory=list)
    flips_ms: list[float] = field(default_factory=list)
    adopted_ms: float | None = None


class _Suite:
    def __init__(self, channel: Any, rank_depth: int) -> None:
        self._releases = release_service_pb2_grpc.ReleaseServiceStub(channel)
        self.catalog = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        self._search = search_service_pb2_grpc.SearchServiceStub(channel)
        self._rank_depth = rank_depth

    async def search(self, query: str) -> search_service_pb2.SearchResponse:
        request = search_service_pb2.SearchRequest(query=query, rank_depth=self._rank_depth, page_size=10)
        answer: search_service_pb2.SearchResponse = await call(
            self._search.Search, request, deadline=Deadline.after(_LIMIT_S)
        )
        return answer

    async def flip(self, name: str) -> None:
        request = release_service_pb2.FlipReleaseRequest(name=name, force=True)
        await call(self._releases.FlipRelease, request, deadline=Deadline.after(_LIMIT_S))

    async def adopt(self, name: str) -> None:
        request = release_service_pb2.AdoptReleaseRequest(name=name)
        await call(self._releases.AdoptRelease, request, deadline=Deadline.after(_LIMIT_S))


def main(
    releases: Annotated[list[str], typer.Argument(help="Two releases that can serve.")],
    target: Annotated[str, typer.Option(help="gRPC target of the gateway.")] = "127.0.0.1:50051",
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 30.0,
    clients: Annotated[int, typer.Option(min=1, help="Searches under way at a time.")] = 4,
    every_s: Annotated[float, typer.Option(min=0.1, help="Time between two flips.")] = 2.0,
    rank_depth: Annotated[int, typer.Option(min=0, help="As in a search.")] = 0,
    writes: Annotated[bool, typer.Option("--writes", help="Write products meanwhile.")] = False,
    adopt: Annotated[str, typer.Option(help="That of the two which is adopted half way through.")] = "",
) -> None:
    """Flips and counts; status 1 where an answer failed, lacked a part or was mixed."""
    if len(releases) != 2 or adopt not in ("", *releases):
        raise typer.BadParameter("name two releases, and of these the one to adopt")
    try:
        counts = asyncio.run(_flipped(releases, target, seconds, clients, every_s, rank_depth, writes, adopt))
    except VitrineError as error:
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(1) from None
    cuts = quantiles(counts.times_ms, n=100)
    typer.echo(
        f"{len(counts.times_ms):,} searches, {len(counts.flips_ms)} flips, {counts.written:,} products written: "
        f"{counts.failed} failed, {counts.degraded} degraded, {counts.mixed} mixed; "
        f"search p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms; flip {max(counts.flips_ms):.0f} ms at most"
        + ("" if counts.adopted_ms is None else f"; adopted in {counts.adopted_ms:.0f} ms")
    )
    if counts.failed or counts.degraded or counts.mixed:
        raise typer.Exit(1)


async def _flipped(
    releases: list[str],
    target: str,
    seconds: float,
    clients: int,
    every_s: float,
    rank_depth: int,
    writes: bool,
    adopt: str,
) -> _Counts:
    async with Client(target) as gateway:
        suite, counts = _Suite(gateway.channel, rank_depth), _Counts()
        whole: dict[str, set[Shown]] = {query: set() for query in _QUERIES}
        for name in releases:
            await suite.flip(name)
            for query in _QUERIES:
                whole[query].add(_shown(await suite.search(query)))
        ends_s = time.monotonic() + seconds
        work = [_search(suite, whole, counts, place, ends_s, writes) for place in range(clients)]
        work.append(_flip(suite, releases, counts, every_s, ends_s, adopt))
        if writes:
            work.append(_write(suite, counts, ends_s))
        await asyncio.gather(*work)
        return counts


async def _search(
    suite: _Suite, whole: dict[str, set[Shown]], counts: _Counts, place: int, ends_s: float, writes: bool
) -> None:
    turn = place
    while time.monotonic() < ends_s:
        query = _QUERIES[turn % len(_QUERIES)]
        turn += 1
        started_s = time.monotonic()
        try:
            answer = await suite.search(query)
        except VitrineError as error:
            counts.failed += 1
            typer.echo(f"failed: {error.message}", err=True)
            continue
        counts.times_ms.append((time.monotonic() - started_s) * 1_000)
        counts.degraded += bool(answer.degradations)
        shown = _shown(answer)
        counts.mixed += not any(_alike(shown, one) if writes else shown == one for one in whole[query])


async def _flip(suite: _Suite, releases: list[str], counts: _Counts, every_s: float, ends_s: float, adopt: str) -> None:
    turn, half_s = 0, (time.monotonic() + ends_s) / 2
    while time.monotonic() + every_s < ends_s:
        if adopt and counts.adopted_ms is None and time.monotonic() > half_s:
            await suite.flip(adopt)
            started_s = time.monotonic()
            await suite.adopt(adopt)
            counts.adopted_ms = (time.monotonic() - started_s) * 1_000
        await asyncio.sleep(every_s)
        started_s = time.monotonic()
        await suite.flip(releases[turn % 2])
        counts.flips_ms.append((time.monotonic() - started_s) * 1_000)
        turn += 1


async def _write(suite: _Suite, counts: _Counts, ends_s: float) -> None:
    """Writes the same few reviews again and again."""
    while time.monotonic() < ends_s:
        products = [
            product_pb2.Product(
                id=f"flips-{number}",
                title=f"note {counts.written}",
                kind=product_pb2.PRODUCT_KIND_REVIEW,
                about_product_ids=["flips"],
            )
            for number in range(4)
        ]
        request = catalog_service_pb2.CatalogServiceUpsertProductsRequest(products=products)
        async for _ in suite.catalog.UpsertProducts(iter([request]), timeout=_LIMIT_S):
            counts.written += len(products)


def _alike(one: Shown, other: Shown) -> bool:
    """Whether two pages have 9 in 10 products in common."""
    return len({product_id for product_id, _ in one} & {product_id for product_id, _ in other}) >= 0.9 * len(other)


def _shown(answer: search_service_pb2.SearchResponse) -> Shown:
    return tuple((result.product.id, round(result.retrieval_score, 3)) for result in answer.results)


if __name__ == "__main__":
    typer.run(main)
