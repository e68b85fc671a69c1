"""Which models answer: for whoever runs the shop."""

from collections.abc import Sequence

from vitrine.client.calls import Calls, Method
from vitrine.v1 import release_service_pb2 as pb
from vitrine.v1.release_pb2 import Release

_LIST = Method("ReleaseService/ListReleases", pb.ListReleasesRequest, pb.ListReleasesResponse)
_CREATE = Method("ReleaseService/CreateRelease", pb.CreateReleaseRequest, pb.CreateReleaseResponse)
_BUILD = Method("ReleaseService/BuildRelease", pb.BuildReleaseRequest, pb.BuildReleaseResponse)
_DELETE = Method("ReleaseService/DeleteRelease", pb.DeleteReleaseRequest, pb.DeleteReleaseResponse)
_FLIP = Method("ReleaseService/FlipRelease", pb.FlipReleaseRequest, pb.FlipReleaseResponse)
# Twice, it goes back to where it began.
_ROLL_BACK = Method(
    "ReleaseService/RollbackRelease", pb.RollbackReleaseRequest, pb.RollbackReleaseResponse, is_repeatable=False
)
_ADOPT = Method("ReleaseService/AdoptRelease", pb.AdoptReleaseRequest, pb.AdoptReleaseResponse)


class Releases:
    """`client.releases`: calls of ReleaseService."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def list(self, *, timeout_s: float | None = None) -> pb.ListReleasesResponse:
        """The releases, what serves, and what is wrong with any."""
        return await self._calls.answer(_LIST, pb.ListReleasesRequest(), timeout_s)

    async def create(
        self,
        name: str,
        *,
        embedder_digest: str = "",
        ranker_digest: str = "",
        recommender_digest: str = "",
        timeout_s: float | None = None,
    ) -> pb.ReleaseStatus:
        """Writes a release of models that are served; an empty digest: the first one that its service serves."""
        release = Release(
            name=name,
            embedder_digest=embedder_digest,
            ranker_digest=ranker_digest,
            recommender_digest=recommender_digest,
        )
        return (await self._calls.answer(_CREATE, pb.CreateReleaseRequest(release=release), timeout_s)).status

    async def build(
        self, name: str, *, queries: Sequence[pb.JudgedQuery] = (), timeout_s: float | None = None
    ) -> pb.BuildReleaseResponse:
        """A step of a release's build, for as long as the call has time: called again until `done`. What a step did is
        kept, also where it ended with DeadlineExceeded.
        """
        return await self._calls.answer(_BUILD, pb.BuildReleaseRequest(name=name, queries=queries), timeout_s)

    async def delete(self, name: str, *, force: bool = False, timeout_s: float | None = None) -> None:
        """Deletes a release that does not serve; with `force` the one that is kept for rollback, too."""
        await self._calls.answer(_DELETE, pb.DeleteReleaseRequest(name=name, force=force), timeout_s)

    async def flip(self, name: str, *, force: bool = False, timeout_s: float | None = None) -> pb.ListReleasesResponse:
        """Makes a release serve, with `force` although its gates were not passed; the releases afterwards."""
        return (await self._calls.answer(_FLIP, pb.FlipReleaseRequest(name=name, force=force), timeout_s)).releases

    async def roll_back(self, *, timeout_s: float | None = None) -> pb.ListReleasesResponse:
        """Makes the release before serve again; the releases afterwards. Never repeated by itself."""
        return (await self._calls.answer(_ROLL_BACK, pb.RollbackReleaseRequest(), timeout_s)).releases

    async def adopt(self, name: str, *, timeout_s: float | None = None) -> pb.ListReleasesResponse:
        """Makes the serving release's embedder the catalogue's own; the releases afterwards."""
        return (await self._calls.answer(_ADOPT, pb.AdoptReleaseRequest(name=name), timeout_s)).releases
