"""The ReleaseStoreService: protobuf to plain Python and back."""

from vitrine.call import Context, deadline_of
from vitrine.deadline import Deadline
from vitrine.messages.common import vectors_from_message
from vitrine.messages.product import product_to_message
from vitrine.messages.release import generation_to_message, record_to_message, release_from_message
from vitrine.ports.release import ReleaseStore
from vitrine.v1 import release_store_service_pb2 as pb
from vitrine.v1 import release_store_service_pb2_grpc


class ReleaseStoreServicer(release_store_service_pb2_grpc.ReleaseStoreServiceServicer):
    """Answers calls from a store; `vitrine.server` turns its errors into status codes."""

    def __init__(self, store: ReleaseStore, default_timeout_s: float) -> None:
        self._store = store
        self._default_timeout_s = default_timeout_s

    async def GetReleases(self, request: pb.GetReleasesRequest, context: Context) -> pb.GetReleasesResponse:
        return record_to_message(await self._store.get_releases(deadline=self._deadline(context)))

    async def WriteRelease(self, request: pb.WriteReleaseRequest, context: Context) -> pb.WriteReleaseResponse:
        release = release_from_message(request.release)
        await self._store.write_release(release, deadline=self._deadline(context))
        return pb.WriteReleaseResponse()

    async def RemoveRelease(self, request: pb.RemoveReleaseRequest, context: Context) -> pb.RemoveReleaseResponse:
        await self._store.remove_release(request.name, force=request.force, deadline=self._deadline(context))
        return pb.RemoveReleaseResponse()

    async def AdoptGeneration(self, request: pb.AdoptGenerationRequest, context: Context) -> pb.AdoptGenerationResponse:
        before = release_from_message(request.before, "before")
        await self._store.adopt_generation(request.model_digest, before=before, deadline=self._deadline(context))
        return pb.AdoptGenerationResponse()

    async def ServeRelease(self, request: pb.ServeReleaseRequest, context: Context) -> pb.ServeReleaseResponse:
        await self._store.serve_release(
            request.name, expected_serving=request.expected_serving, deadline=self._deadline(context)
        )
        return pb.ServeReleaseResponse()

    async def ListUnembedded(self, request: pb.ListUnembeddedRequest, context: Context) -> pb.ListUnembeddedResponse:
        found = await self._store.list_unembedded(request.model_digest, request.limit, deadline=self._deadline(context))
        return pb.ListUnembeddedResponse(
            products=(product_to_message(product) for _, product in found), rows=(row for row, _ in found)
        )

    async def WriteVectors(self, request: pb.WriteVectorsRequest, context: Context) -> pb.WriteVectorsResponse:
        vectors = vectors_from_message(request.vectors)
        await self._store.write_vectors(
            request.model_digest, list(request.rows), vectors, deadline=self._deadline(context)
        )
        return pb.WriteVectorsResponse()

    async def BuildGeneration(self, request: pb.BuildGenerationRequest, context: Context) -> pb.BuildGenerationResponse:
        generation, recall = await self._store.build_generation(request.model_digest, deadline=self._deadline(context))
        return pb.BuildGenerationResponse(generation=generation_to_message(generation), recall=recall)

    def _deadline(self, context: Context) -> Deadline:
        return deadline_of(context, self._default_timeout_s)
