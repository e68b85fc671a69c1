"""The store of releases, in one process and over gRPC alike."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.clients.release_store import ReleaseStoreClient
from services.retriever.catalogue import Catalogue
from services.retriever.releases.servicer import ReleaseStoreServicer
from services.retriever.releases.store import Releases
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound
from vitrine.ports.release import Release, ReleaseGates, ReleaseStore
from vitrine.v1 import release_store_service_pb2_grpc

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
GATES = ReleaseGates(datetime(2026, 1, 2, tzinfo=UTC), 0.99, 40, 0.7, 0.6, 0.05, ("too few queries",))


def soon() -> Deadline:
    return Deadline.after(60)


@pytest.fixture
def catalogue(tmp_path: Path) -> Any:
    catalogue = Catalogue(tmp_path)
    yield catalogue
    catalogue.close()


@pytest.fixture(params=["one process", "gRPC"])
async def store(
    request: pytest.FixtureRequest, catalogue: Catalogue, start_server: Any, channel_to: Any
) -> AsyncIterator[ReleaseStore]:
    releases = Releases(catalogue)
    if request.param == "one process":
        yield releases
        return

    def add(server: grpc.aio.Server) -> Sequence[str]:
        servicer = ReleaseStoreServicer(releases, 60.0)
        release_store_service_pb2_grpc.add_ReleaseStoreServiceServicer_to_server(servicer, server)
        return ["vitrine.v1.ReleaseStoreService"]

    yield ReleaseStoreClient(channel_to((await start_server(add)).port))


async def written(store: ReleaseStore, *releases: Release) -> None:
    for release in releases:
        await store.write_release(release, deadline=soon())


async def serve(store: ReleaseStore, name: str, expected: str) -> tuple[str, str | None]:
    await store.serve_release(name, expected_serving=expected, deadline=soon())
    record = await store.get_releases(deadline=soon())
    return record.serving, record.previous


async def test_what_is_written_is_read_again(store: ReleaseStore) -> None:
    assert (await store.get_releases(deadline=soon())).releases == ()
    await written(store, Release("b", ONE, TWO), Release("a", recommender_digest=TWO, gates=GATES))
    record = await store.get_releases(deadline=soon())
    assert [one.name for one in record.releases] == ["a", "b"]
    a, b = record.releases
    assert (a.models, a.gates) == (("", "", TWO), GATES)
    assert (b.models, b.gates) == ((ONE, TWO, ""), None)
    assert b.create_time is not None
    assert (record.serving, record.previous) == ("", None)


async def test_a_flip_keeps_the_one_before_and_a_second_one_goes_back(store: ReleaseStore) -> None:
    await written(store, Release("a", ONE), Release("b", TWO))
    assert await serve(store, "a", "") == ("a", "")
    assert await serve(store, "b", "a") == ("b", "a")
    assert await serve(store, "a", "b") == ("a", "b")
    assert await serve(store, "a", "a") == ("a", "b")
    assert await serve(store, "", "a") == ("", "a")


async def test_of_two_flips_at_once_the_later_one_is_told(store: ReleaseStore) -> None:
    await written(store, Release("a", ONE), Release("b", TWO))
    await serve(store, "a", "")
    with pytest.raises(FailedPrecondition, match="a serves by now, and not none: another flip came first"):
        await serve(store, "b", "")
    with pytest.raises(NotFound, match="no release 'c'; there are: a, b"):
        await serve(store, "c", "a")


async def test_what_serves_or_is_kept_stays_as_it_is_but_for_its_gates(store: ReleaseStore) -> None:
    await written(store, Release("a", ONE), Release("b", TWO), Release("c", TWO))
    await serve(store, "a", "")
    await serve(store, "b", "a")
    for name, standing in (("a", "is kept for rollback"), ("b", "serves")):
        with pytest.raises(FailedPrecondition, match=f"release {name} {standing}"):
            await written(store, Release(name, ranker_digest=ONE))
        with pytest.raises(FailedPrecondition, match=f"release {name} {standing}"):
            await store.remove_release(name, deadline=soon())
    await written(store, Release("b", TWO, gates=GATES), Release("c", ONE))
    record = await store.get_releases(deadline=soon())
    assert [(one.embedder_digest, one.gates) for one in record.releases] == [(ONE, None), (TWO, GATES), (ONE, None)]
    await store.remove_release("c", deadline=soon())
    with pytest.raises(NotFound, match="no release 'c'"):
        await store.remove_release("c", deadline=soon())


async def test_releases_outlive_the_process(tmp_path: Path) -> None:
    first = Catalogue(tmp_path)
    await written(Releases(first), Release("a", ONE))
    await serve(Releases(first), "a", "")
    first.close()
    again = Catalogue(tmp_path)
    assert (await Releases(again).get_releases(deadline=soon())).serving == "a"
    again.close()


async def test_a_call_without_time_left_changes_nothing(store: ReleaseStore) -> None:
    with pytest.raises(DeadlineExceeded):
        await store.write_release(Release("a"), deadline=Deadline.after(-1))
    assert (await store.get_releases(deadline=soon())).releases == ()


async def test_wrong_names_and_digests_are_named_over_the_wire(
    start_server: Any, channel_to: Any, catalogue: Any
) -> None:
    def add(server: grpc.aio.Server) -> Sequence[str]:
        servicer = ReleaseStoreServicer(Releases(catalogue), 60.0)
        release_store_service_pb2_grpc.add_ReleaseStoreServiceServicer_to_server(servicer, server)
        return ["vitrine.v1.ReleaseStoreService"]

    client = ReleaseStoreClient(channel_to((await start_server(add)).port))
    with pytest.raises(InvalidArgument) as refused:
        await client.write_release(Release("no name", "sha256:1"), deadline=soon())
    assert [one.field for one in refused.value.violations] == ["release.name", "release.embedder_digest"]
