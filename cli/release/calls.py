"""Calls of ReleaseService from the command line, and what they answer as people read it."""

import json
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from cli.progress import progress_bar
from vitrine.bundle import MANIFEST
from vitrine.client import Client
from vitrine.errors import DeadlineExceeded, FailedPrecondition
from vitrine.v1 import release_service_pb2 as pb

_TIMEOUT_S = 20.0
# One step of a build, after which it is told how far it is; and all queries of the gates.
_STEP_S = 20.0
_GATES_S = 1_800.0
# Of a digest's digits, enough to tell bundles apart.
_SHOWN = 12


async def print_releases(target: str) -> None:
    """Prints all releases as a table, and their faults. Raises the errors of `vitrine.errors`."""
    async with Client(target, timeout_s=_TIMEOUT_S) as client:
        _print(await client.releases.list())


async def create_release(name: str, embedder: str, ranker: str, recommender: str, target: str) -> int:
    """Writes a release and prints what it lacks, if anything; of how many parts. Raises as `print_releases`."""
    async with Client(target, timeout_s=_TIMEOUT_S) as client:
        status = await client.releases.create(
            name,
            embedder_digest=digest_of(embedder),
            ranker_digest=digest_of(ranker),
            recommender_digest=digest_of(recommender),
        )
    typer.echo(f"release {name} is written")
    for fault in status.faults:
        typer.echo(f"it cannot answer yet: {fault}", err=True)
    return len(status.faults)


async def build_release(name: str, queries: Sequence[pb.JudgedQuery], target: str) -> int:
    """Builds a release to its end and prints its gates; how many were not passed. Raises as `print_releases`."""
    async with Client(target, timeout_s=_TIMEOUT_S) as client:
        answer = await _step(client, name)
        total = answer.missing
        with progress_bar("products", total) as moved:
            while not answer.done:
                moved(total - answer.missing, "embedding" if answer.missing else "building the index")
                answer = await _step(client, name)
        if queries:
            answer = await client.releases.build(name, queries=queries, timeout_s=_GATES_S)
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


async def _step(client: Client, name: str) -> pb.BuildReleaseResponse:
    """One step of a build; one that was too slow for its time is made again: what it did is kept."""
    while True:
        try:
            return await client.releases.build(name, timeout_s=_STEP_S)
        except DeadlineExceeded:
            typer.echo("the gateway is slow; going on", err=True)


async def flip_release(name: str, target: str, *, force: bool) -> None:
    """Makes a release serve and prints all of them. Raises as `print_releases`."""
    async with Client(target, timeout_s=_TIMEOUT_S) as client:
        _print(await client.releases.flip(name, force=force))


async def roll_back(target: str) -> None:
    """Makes the release before serve again and prints all of them. Raises as `print_releases`."""
    async with Client(target, timeout_s=_TIMEOUT_S) as client:
        _print(await client.releases.roll_back())


async def adopt_release(name: str, target: str) -> None:
    """Makes a release's embedder the catalogue's own and prints all of them. Raises as `print_releases`."""
    async with Client(target, timeout_s=_TIMEOUT_S) as client:
        _print(await client.releases.adopt(name))
    typer.echo(f"the catalogue's own embedder is that of {name}; what others it keeps goes with their last release")


async def delete_release(name: str, target: str, *, force: bool = False) -> None:
    """Deletes a release. Raises as `print_releases`."""
    async with Client(target, timeout_s=_TIMEOUT_S) as client:
        await client.releases.delete(name, force=force)
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
