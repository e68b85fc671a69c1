"""Several ranker bundles as one ranker: each call names by digest the one that shall answer, or takes the first."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from services.ranker.engine import FURTHER_BUNDLES, RankerEngine
from services.ranker.settings import RankerSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import Explanations, Lane, ModelInfo, RankCandidate, Ranking, ServedModels
from vitrine.served_models import served


class RankerEngines:
    """Engines by digest, in one compute budget; implements the port `Ranker`."""

    def __init__(self, engines: Mapping[str, RankerEngine]) -> None:
        self._engines = engines

    @classmethod
    async def open(cls, settings: RankerSettings, budget: ComputeBudget) -> "RankerEngines":
        """Loads `bundle` and `further_bundles`; raises as `RankerEngine.open` does for any of them."""
        engines: dict[str, RankerEngine] = {}
        for folder in (settings.bundle, *map(Path, settings.further_bundles)):
            engine = await RankerEngine.open(settings.model_copy(update={"bundle": folder}), budget)
            # Of a bundle that is named twice the first engine stays.
            engines.setdefault(engine.digest, engine)
        return cls(engines)

    async def rank(
        self,
        query: str,
        candidates: Sequence[RankCandidate],
        *,
        deadline: Deadline,
        top_n: int | None = None,
        lane: Lane = Lane.LIVE,
        model_digest: str = "",
        shown: int | None = None,
    ) -> Ranking:
        """See `RankerEngine.rank`."""
        engine = self._engine(model_digest)
        return await engine.rank(query, candidates, deadline=deadline, top_n=top_n, lane=lane, shown=shown)

    async def explain(
        self, query: str, candidates: Sequence[RankCandidate], *, deadline: Deadline, model_digest: str = ""
    ) -> Explanations:
        """See `RankerEngine.explain`."""
        return await self._engine(model_digest).explain(query, candidates, deadline=deadline)

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the first model."""
        return await self._engine("").get_model(deadline=deadline)

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """Names all models."""
        return ServedModels(tuple([await engine.get_model(deadline=deadline) for engine in self._engines.values()]))

    async def self_test(self) -> None:
        """The self-test of each engine; raises Internal when one fails."""
        for engine in self._engines.values():
            await engine.self_test()

    async def close(self) -> None:
        """Closes the engines; the budget stays open."""
        for engine in self._engines.values():
            await engine.close()

    def _engine(self, digest: str) -> RankerEngine:
        return served(self._engines, digest, FURTHER_BUNDLES)
