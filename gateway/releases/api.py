"""The calls of ReleaseService, message in and message out, the same for gRPC and HTTP."""

from gateway.auth.audit import audited
from gateway.releases.follower import Known
from gateway.releases.gates import JudgedQuery
from gateway.releases.service import ReleaseAdmin
from vitrine.deadline import Deadline
from vitrine.messages.release import generation_to_message, release_from_message, release_to_message
from vitrine.v1 import release_service_pb2 as pb


class ReleaseApi:
    """ReleaseService over the admin's side of releases; every method raises the errors of `vitrine.errors`."""

    def __init__(self, admin: ReleaseAdmin) -> None:
        self._admin = admin

    async def list_releases(self, request: pb.ListReleasesRequest, deadline: Deadline) -> pb.ListReleasesResponse:
        """Lists the releases."""
        return _listed(await self._admin.list(deadline=deadline))

    @audited(lambda request: [request.release.name])
    async def create_release(self, request: pb.CreateReleaseRequest, deadline: Deadline) -> pb.CreateReleaseResponse:
        """Writes a release."""
        release = release_from_message(request.release)
        listed = _listed(await self._admin.create(release, deadline=deadline))
        (status,) = (status for status in listed.releases if status.release.name == release.name)
        return pb.CreateReleaseResponse(status=status)

    @audited(lambda request: [request.name])
    async def build_release(self, request: pb.BuildReleaseRequest, deadline: Deadline) -> pb.BuildReleaseResponse:
        """Embeds, builds and measures a release, as far as the call has time."""
        queries = [JudgedQuery(one.query, dict(one.gains)) for one in request.queries]
        missing, known = await self._admin.build(request.name, queries, deadline=deadline)
        (status,) = (status for status in _listed(known).releases if status.release.name == request.name)
        return pb.BuildReleaseResponse(done=missing is None, missing=missing or 0, status=status)

    @audited(lambda request: [request.name])
    async def delete_release(self, request: pb.DeleteReleaseRequest, deadline: Deadline) -> pb.DeleteReleaseResponse:
        """Deletes a release."""
        await self._admin.delete(request.name, force=request.force, deadline=deadline)
        return pb.DeleteReleaseResponse()

    @audited(lambda request: [request.name])
    async def flip_release(self, request: pb.FlipReleaseRequest, deadline: Deadline) -> pb.FlipReleaseResponse:
        """Makes a release the one that serves."""
        known = await self._admin.flip(request.name, force=request.force, deadline=deadline)
        return pb.FlipReleaseResponse(releases=_listed(known))

    @audited(lambda request: [])
    async def rollback_release(
        self, request: pb.RollbackReleaseRequest, deadline: Deadline
    ) -> pb.RollbackReleaseResponse:
        """Makes the release before serve again."""
        return pb.RollbackReleaseResponse(releases=_listed(await self._admin.rollback(deadline=deadline)))

    async def adopt_release(self, request: pb.AdoptReleaseRequest, deadline: Deadline) -> pb.AdoptReleaseResponse:
        """Makes the embedder of the release that serves the catalogue's own."""
        return pb.AdoptReleaseResponse(releases=_listed(await self._admin.adopt(request.name, deadline=deadline)))


def _listed(known: Known) -> pb.ListReleasesResponse:
    record = known.record
    return pb.ListReleasesResponse(
        releases=[
            pb.ReleaseStatus(
                release=release_to_message(one),
                serving=one.name == record.serving,
                previous=one.name == record.previous,
                faults=known.faults[one.name],
            )
            for one in record.releases
        ],
        generations=map(generation_to_message, record.generations),
    )
