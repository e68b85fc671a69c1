"""Calls of ReleaseService from the command line, and what they answer as people read it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from cli.progress import progress_bar
from vitrine.bundle import MANIFEST
from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition
from vitrine.gateway_client import open_gateway
from vitrine.v1 import release_pb2, release_service_pb2_grpc
from vitrine.v1 import release_service_pb2 as pb

_TIMEOUT_S = 20.0
# One step of a build, after which it is told how far it is; and all queries of the gates.
_STEP_S = 20.0
_GATES_S = 1_800.0
# Of a digest's digits, enough to tell bundles apart.
_SHOWN = 12


async def print_releases(target: str) -> None:
    """Prints all releases as a table, and their faults. Raises the errors of `vitrine.errors`."""
    async with _service(target) as service:
        _print(await call(service.ListReleases, pb.ListReleasesRequest(), deadline=_soon()))


async def create_release(name: str, embedder: str, ranker: str, recommender: str, target: str) -> int:
    """Writes a release and prints what it lacks, if anything; of how many parts. Raises as `print_releases`."""
    release = release_pb2.Release(
        name=name,
        embedder_digest=digest_of(embedder),
        ranker_digest=digest_of(ranker),
        recommender_digest=digest_of(recommender),
    )
    async with _service(target) as service:
        answer = await call(service.CreateRelease, pb.CreateReleaseRequest(release=release), deadline=_soon())
    typer.echo(f"release {name} is written")
    for fault in answer.status.faults:
        typer.echo(f"it cannot answer yet: {fault}", err=True)
    return len(answer.status.faults)


async def build_release(name: str, queries: Sequence[pb.JudgedQuery], target: str) -> int:
    """Builds a release to its end and prints its gates; how many were not passed. Raises as `print_releases`."""
    async with _service(target) as service:
        request = pb.BuildReleaseRequest(name=name)
        answer = await _step(service, request)
        total = answer.missing
        with progress_bar("products", total) as moved:
            while not answer.done:
                moved(total - answer.missing, "embedding" if answer.missing else "building the index")
                answer = await _step(service, request)
        if queries:
            request.queries.extend(queries)
            answer = await call(service.BuildRelease, request, deadline=Deadline.after(_GATES_S))
    gates = answer.status.release.gates
    recall = f"recall@10 of its index {gates.recall:.3f}" if gates.HasField("recall") else "the catalogue's own vectors"
    typer.echo(f"release {name} is built: {recall}")
    if gates.queries:
        typer.echo(
            f"nDCG@10 over {gates.queries:,} queries: {gates.ndcg:.4f}, {gates.ndcg_serving:.4f} of the release that"
            f" serves; the difference is at least {gates.difference_low:.4f} (95 %)"
        )
    for fault in gates.faults:
        typer.echo(f"gate not passed: {fault}", err=True)
    return len(gates.faults)


async def _step(
    service: release_service_pb2_grpc.ReleaseServiceStub, request: pb.BuildReleaseRequest
) -> pb.BuildReleaseResponse:
    """One step of a build; one that was too slow for its time is made again: what it did is kept."""
    while True:
        try:
            answer: pb.BuildReleaseResponse = await call(
                service.BuildRelease, request, deadline=Deadline.after(_STEP_S)
            )
            return answer
        except DeadlineExceeded:
            typer.echo("the gateway is slow; going on", err=True)


async def flip_release(name: str, target: str, *, force: bool) -> None:
    """Makes a release serve and prints all of them. Raises as `print_releases`."""
    async with _service(target) as service:
        request = pb.FlipReleaseRequest(name=name, force=force)
        _print((await call(service.FlipRelease, request, deadline=_soon())).releases)


async def roll_back(target: str) -> None:
    """Makes the release before serve again and prints all of them. Raises as `print_releases`."""
    async with _service(target) as service:
        _print((await call(service.RollbackRelease, pb.RollbackReleaseRequest(), deadline=_soon())).releases)


async def adopt_release(name: str, target: str) -> None:
    """Makes a release's embedder the catalogue's own and prints all of them. Raises as `print_releases`."""
    async with _service(target) as service:
        answer = await call(service.AdoptRelease, pb.AdoptReleaseRequest(name=name), deadline=_soon())
    _print(answer.releases)
    typer.echo(f"the catalogue's own embedder is that of {name}; what others it keeps goes with their last release")


async def delete_release(name: str, target: str, *, force: bool = False) -> None:
    """Deletes a release. Raises as `print_releases`."""
    async with _service(target) as service:
        await call(service.DeleteRelease, pb.DeleteReleaseRequest(name=name, force=force), deadline=_soon())
    typer.echo(f"release {name} is deleted")


def digest_of(bundle: str) -> str:
    """The digest of a bundle's folder, or the digest that is given itself; "" for "".

    Raises FailedPrecondition when there is no bundle in the folder.
    """
    if not bundle or bundle.startswith("sha256:"):
        return bundle
    path = Path(bundle) / MANIFEST
    try:
        return str(json.loads(path.read_bytes())["digest"])
    except (OSError, ValueError, KeyError):
        raise FailedPrecondition(f"no bundle at {bundle}: {path} cannot be read; give its folder or digest") from None


@asynccontextmanager
async def _service(target: str) -> AsyncIterator[release_service_pb2_grpc.ReleaseServiceStub]:
    async with open_gateway(target) as channel:
        yield release_service_pb2_grpc.ReleaseServiceStub(channel)


def _soon() -> Deadline:
    return Deadline.after(_TIMEOUT_S)


def _print(listed: pb.ListReleasesResponse) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "state", "embedder", "ranker", "recommender", "written"):
        table.add_column(heading, no_wrap=True)
    for status in listed.releases:
        release = status.release
        state = "serves" if status.serving else "for rollback" if status.previous else "ready"
        written = release.create_time.ToDatetime().strftime("%Y-%m-%d")
        digests = (release.embedder_digest, release.ranker_digest, release.recommender_digest)
        shown = (digest.removeprefix("sha256:")[:_SHOWN] or "none" for digest in digests)
        table.add_row(release.name, "cannot answer" if status.faults else state, *shown, written)
    Console().print(table)
    if not any(status.serving for status in listed.releases):
        typer.echo("no release serves: the first model of each service answers")
    for status in listed.releases:
        for fault in status.faults:
            typer.echo(f"{status.release.name}: {fault}", err=True)
