"""Several embedder bundles as one embedder: each call names by digest the one that shall answer, or takes the first."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from services.embedder.engine import FURTHER_BUNDLES, EmbedderEngine
from services.embedder.history import HistoryEncoder
from services.embedder.settings import EmbedderSettings
from vitrine.compute import ComputeBudget, report_openmp_clash
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition
from vitrine.ports import Embeddings, EncodedHistories, HistoryItem, InputType, Lane, ModelInfo, ServedModels
from vitrine.recommender_bundle import load_recommender
from vitrine.served_models import served
from vitrine.vectors import FloatArray


class EmbedderEngines:
    """Engines and encoders of histories by digest, in one compute budget; implements the port `Embedder`."""

    def __init__(self, engines: Mapping[str, EmbedderEngine], histories: Mapping[str, HistoryEncoder]) -> None:
        """`histories`: those of `further_recommenders`; the first engine has the first one."""
        self._engines = engines
        self._histories = histories

    @classmethod
    async def open(cls, settings: EmbedderSettings, budget: ComputeBudget) -> "EmbedderEngines":
        """Loads `bundle` with its `recommender`, `further_bundles` and `further_recommenders`.

        Raises FailedPrecondition as `EmbedderEngine.open` does for any of them; a further recommender may belong to
        any of the embedders.
        """
        first = await EmbedderEngine.open(settings, budget)
        engines = {first.digest: first}
        for folder in map(Path, settings.further_bundles):
            engine = await EmbedderEngine.open(
                settings.model_copy(update={"bundle": folder, "recommender": ""}), budget
            )
            # Of a bundle that is named twice the first engine stays: it has the recommender.
            engines.setdefault(engine.digest, engine)

        def encoder(folder: str) -> HistoryEncoder:
            recommender = load_recommender(Path(folder))
            if recommender.manifest.embedder_digest not in engines:
                raise FailedPrecondition(
                    f"recommender {folder} reads text vectors of {recommender.manifest.embedder_digest}, and served are"
                    f" {', '.join(engines)}; add that embedder's folder to {FURTHER_BUNDLES}",
                    reason="RECOMMENDER_MISMATCH",
                )
            return HistoryEncoder(recommender, budget, settings.batch, settings.self_test_cosine)

        encoders = [await asyncio.to_thread(encoder, folder) for folder in settings.further_recommenders]
        # Of what serves: training has torch beside faiss, and one after the other.
        await asyncio.to_thread(report_openmp_clash)
        return cls(engines, {one.digest: one for one in encoders})

    async def embed(
        self,
        texts: Sequence[str],
        *,
        input_type: InputType,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
        refuse_overflow: bool = False,
        model_digest: str = "",
    ) -> Embeddings:
        """See `EmbedderEngine.embed`."""
        engine = served(self._engines, model_digest, FURTHER_BUNDLES)
        return await engine.embed(
            texts, input_type=input_type, deadline=deadline, lane=lane, refuse_overflow=refuse_overflow
        )

    async def encode_history(
        self,
        histories: Sequence[Sequence[HistoryItem]],
        item_vectors: FloatArray,
        *,
        recommender_digest: str,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
    ) -> EncodedHistories:
        """See `EmbedderEngine.encode_history`; by the recommender that made the vectors."""
        if (further := self._histories.get(recommender_digest)) is not None:
            return await further.encode(
                histories, item_vectors, recommender_digest=recommender_digest, deadline=deadline, lane=lane
            )
        return await self._first.encode_history(
            histories, item_vectors, recommender_digest=recommender_digest, deadline=deadline, lane=lane
        )

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the first model."""
        return await self._first.get_model(deadline=deadline)

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """Names all models and recommenders."""
        models = [await engine.get_model(deadline=deadline) for engine in self._engines.values()]
        first = (await self._first.get_models(deadline=deadline)).recommender_digests
        return ServedModels(tuple(models), tuple(dict.fromkeys((*first, *self._histories))))

    async def self_test(self) -> None:
        """The self-test of each engine and encoder; raises Internal when one fails."""
        for part in self._parts():
            await part.self_test()

    async def close(self) -> None:
        """Closes engines and encoders; the budget stays open."""
        for part in self._parts():
            await part.close()

    def _parts(self) -> Iterator[EmbedderEngine | HistoryEncoder]:
        yield from self._engines.values()
        yield from self._histories.values()

    @property
    def _first(self) -> EmbedderEngine:
        return next(iter(self._engines.values()))
