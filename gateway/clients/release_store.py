"""The store of releases over gRPC."""

from collections.abc import Sequence

import grpc.aio

from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.messages.common import vectors_to_message
from vitrine.messages.product import product_from_message
from vitrine.messages.release import generation_from_message, record_from_message, release_to_message
from vitrine.ports.release import Generation, Release, ReleaseRecord
from vitrine.product import Product
from vitrine.v1 import release_store_service_pb2 as pb
from vitrine.v1 import release_store_service_pb2_grpc
from vitrine.vectors import FloatArray


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

    async def remove_release(self, name: str, *, force: bool = False, deadline: Deadline) -> None:
        """See `vitrine.ports.release.ReleaseStore.remove_release`."""
        await call(self._stub.RemoveRelease, pb.RemoveReleaseRequest(name=name, force=force), deadline=deadline)

    async def adopt_generation(self, model_digest: str, *, before: Release, deadline: Deadline) -> None:
        """See `vitrine.ports.release.ReleaseStore.adopt_generation`."""
        request = pb.AdoptGenerationRequest(model_digest=model_digest, before=release_to_message(before))
        await call(self._stub.AdoptGeneration, request, deadline=deadline)

    async def list_unembedded(
        self, model_digest: str, limit: int, *, deadline: Deadline
    ) -> tuple[tuple[int, Product], ...]:
        """See `vitrine.ports.release.ReleaseStore.list_unembedded`."""
        request = pb.ListUnembeddedRequest(model_digest=model_digest, limit=limit)
        answer = await call(self._stub.ListUnembedded, request, deadline=deadline)
        return tuple(zip(answer.rows, map(product_from_message, answer.products), strict=True))

    async def write_vectors(
        self, model_digest: str, rows: Sequence[int], vectors: FloatArray, *, deadline: Deadline
    ) -> None:
        """See `vitrine.ports.release.ReleaseStore.write_vectors`."""
        request = pb.WriteVectorsRequest(model_digest=model_digest, rows=rows, vectors=vectors_to_message(vectors))
        await call(self._stub.WriteVectors, request, deadline=deadline)

    async def build_generation(self, model_digest: str, *, deadline: Deadline) -> tuple[Generation, float | None]:
        """See `vitrine.ports.release.ReleaseStore.build_generation`."""
        request = pb.BuildGenerationRequest(model_digest=model_digest)
        answer = await call(self._stub.BuildGeneration, request, deadline=deadline)
        recall = answer.recall if answer.HasField("recall") else None
        return generation_from_message(answer.generation), recall

    async def serve_release(self, name: str, *, expected_serving: str, deadline: Deadline) -> None:
        """See `vitrine.ports.release.ReleaseStore.serve_release`."""
        request = pb.ServeReleaseRequest(name=name, expected_serving=expected_serving)
        await call(self._stub.ServeRelease, request, deadline=deadline)
