"""The store of releases over gRPC."""

import grpc.aio

from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.messages.release import record_from_message, release_to_message
from vitrine.ports.release import Release, ReleaseRecord
from vitrine.v1 import release_store_service_pb2 as pb
from vitrine.v1 import release_store_service_pb2_grpc


class ReleaseStoreClient:
    """A ReleaseStoreService behind a channel; implements the port `ReleaseStore`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = release_store_service_pb2_grpc.ReleaseStoreServiceStub(channel)

    async def get_releases(self, *, deadline: Deadline) -> ReleaseRecord:
        """See `vitrine.ports.release.ReleaseStore.get_releases`."""
        return record_from_message(await call(self._stub.GetReleases, pb.GetReleasesRequest(), deadline=deadline))

    async def write_release(self, release: Release, *, deadline: Deadline) -> None:
        """See `vitrine.ports.release.ReleaseStore.write_release`."""
        request = pb.WriteReleaseRequest(release=release_to_message(release))
        await call(self._stub.WriteRelease, request, deadline=deadline)

    async def remove_release(self, name: str, *, deadline: Deadline) -> None:
        """See `vitrine.ports.release.ReleaseStore.remove_release`."""
        await call(self._stub.RemoveRelease, pb.RemoveReleaseRequest(name=name), deadline=deadline)

    async def serve_release(self, name: str, *, expected_serving: str, deadline: Deadline) -> None:
        """See `vitrine.ports.release.ReleaseStore.serve_release`."""
        request = pb.ServeReleaseRequest(name=name, expected_serving=expected_serving)
        await call(self._stub.ServeRelease, request, deadline=deadline)
