"""What the parts serve now, and what a release lacks of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.ports import Embedder, IndexInfo, Ranker, Retriever, ServedModels
from vitrine.ports.release import Generation, Release, ReleaseRecord, generation_fault

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Seen:
    """What each part said last; None: never asked with success."""

    embedder: ServedModels | None = None
    ranker: ServedModels | None = None
    index: IndexInfo | None = None


class ServedParts:
    """Asks embedder, ranker and retriever; one that is away is taken to serve what it served before."""

    def __init__(
        self, embedder: Embedder, ranker: Ranker, retriever: Retriever, fusion_digests: tuple[str, ...]
    ) -> None:
        self._embedder = embedder
        self._ranker = ranker
        self._retriever = retriever
        self._fusion_digests = fusion_digests
        self._seen = _Seen()

    async def faults(self, record: ReleaseRecord, *, deadline: Deadline) -> Mapping[str, tuple[str, ...]]:
        """By a release's name, why it cannot answer now; () where it can."""
        if record.releases:
            await self._ask(deadline)
        return {one.name: tuple(self._faults(one, record.generations)) for one in record.releases}

    async def completed(self, release: Release, serving: Release, *, deadline: Deadline) -> Release:
        """The release with the models of the one that serves, or each service's first one, where it names none.

        Raises what the parts raise.
        """
        embedders = await self._embedder.get_models(deadline=deadline)
        rankers = await self._ranker.get_models(deadline=deadline)
        return Release(
            release.name,
            release.embedder_digest or serving.embedder_digest or embedders.digests[0],
            release.ranker_digest or serving.ranker_digest or rankers.digests[0],
            release.recommender_digest or serving.recommender_digest or (*self._fusion_digests, "")[0],
        )

    async def _ask(self, deadline: Deadline) -> None:
        try:
            self._seen.index = await self._retriever.get_index(deadline=deadline)
            self._seen.embedder = await self._embedder.get_models(deadline=deadline)
            self._seen.ranker = await self._ranker.get_models(deadline=deadline)
        except VitrineError as error:
            log.warning("a part is away, taken to serve what it did before", error=error.message)

    def _faults(self, release: Release, generations: Sequence[Generation]) -> Iterator[str]:
        seen = self._seen
        if seen.embedder is not None and release.embedder_digest not in ("", *seen.embedder.digests):
            yield _not_served("embedder", release.embedder_digest, "VITRINE_EMBEDDER_FURTHER_BUNDLES")
        if seen.ranker is not None and release.ranker_digest not in ("", *seen.ranker.digests):
            yield _not_served("ranker", release.ranker_digest, "VITRINE_RANKER_FURTHER_BUNDLES")
        held = seen.index.model_digests if seen.index is not None else ()
        # An empty index takes the vectors of any model.
        if held and release.embedder_digest not in ("", *held):
            yield generation_fault(release.embedder_digest, generations) or (
                f"the index holds no vectors of {release.embedder_digest}"
            )
        elif fault := generation_fault(release.embedder_digest, generations):
            yield fault
        recommender = release.recommender_digest
        if not recommender:
            return
        if seen.embedder is not None and recommender not in seen.embedder.recommender_digests:
            yield _not_served("recommender", recommender, "VITRINE_EMBEDDER_FURTHER_RECOMMENDERS")
        if seen.index is not None and recommender not in seen.index.recommender_digests:
            yield _not_served("recommender", recommender, "VITRINE_RETRIEVER_FURTHER_RECOMMENDERS")
        if recommender not in self._fusion_digests:
            yield _not_served("recommender", recommender, "VITRINE_RECOMMENDATION_FURTHER_BUNDLES")


def _not_served(part: str, digest: str, setting: str) -> str:
    return f"{part} {digest} is not served; add its folder to {setting}"
