"""The ReleaseService over gRPC."""

from gateway.releases.api import ReleaseApi
from vitrine.call import Context, deadline_of
from vitrine.v1 import release_service_pb2 as pb
from vitrine.v1 import release_service_pb2_grpc


class ReleaseServicer(release_service_pb2_grpc.ReleaseServiceServicer):
    """Which models answer."""

    def __init__(self, api: ReleaseApi, default_timeout_s: float) -> None:
        self._api = api
        self._timeout_s = default_timeout_s

    async def ListReleases(self, request: pb.ListReleasesRequest, context: Context) -> pb.ListReleasesResponse:
        """Lists the releases."""
        return await self._api.list_releases(request, deadline_of(context, self._timeout_s))

    async def CreateRelease(self, request: pb.CreateReleaseRequest, context: Context) -> pb.CreateReleaseResponse:
        """Writes a release."""
        return await self._api.create_release(request, deadline_of(context, self._timeout_s))

    async def BuildRelease(self, request: pb.BuildReleaseRequest, context: Context) -> pb.BuildReleaseResponse:
        """Embeds, builds and measures a release."""
        return await self._api.build_release(request, deadline_of(context, self._timeout_s))

    async def DeleteRelease(self, request: pb.DeleteReleaseRequest, context: Context) -> pb.DeleteReleaseResponse:
        """Deletes a release."""
        return await self._api.delete_release(request, deadline_of(context, self._timeout_s))

    async def FlipRelease(self, request: pb.FlipReleaseRequest, context: Context) -> pb.FlipReleaseResponse:
        """Makes a release the one that serves."""
        return await self._api.flip_release(request, deadline_of(context, self._timeout_s))

    async def AdoptRelease(self, request: pb.AdoptReleaseRequest, context: Context) -> pb.AdoptReleaseResponse:
        """Makes the embedder of the release that serves the catalogue's own."""
        return await self._api.adopt_release(request, deadline_of(context, self._timeout_s))

    async def RollbackRelease(self, request: pb.RollbackReleaseRequest, context: Context) -> pb.RollbackReleaseResponse:
        """Makes the release before serve again."""
        return await self._api.rollback_release(request, deadline_of(context, self._timeout_s))
