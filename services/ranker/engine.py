"""The ranker's work: query and candidates to an order. Knows neither gRPC nor protobuf."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ValidationError

from services.ranker.kept_logits import KeptLogits
from services.ranker.kept_tokens import KeptTokens
from services.ranker.occlusion import Occluder
from services.ranker.pairs import SPECIAL_TOKENS, Pair, PairBuilder, candidate_fault
from services.ranker.scoring import probabilities_of, scores_of
from services.ranker.settings import RankerSettings
from services.ranker.settled import Settling
from vitrine.batching import Batcher
from vitrine.bundle import Bundle, Calibration, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, Internal, ResourceExhausted, VitrineError, invalid
from vitrine.inference import Session, load_session
from vitrine.ports import (
    Explanation,
    Explanations,
    Lane,
    ModelInfo,
    RankCandidate,
    RankedCandidate,
    RankFailure,
    Ranking,
    ServedModels,
)
from vitrine.ports.ranker import check_counts
from vitrine.served_models import served
from vitrine.text import normalize_text
from vitrine.tokenization import Tokenizer
from vitrine.vectors import FloatArray

MAX_QUERY_CHARACTERS = 1_024
MAX_CANDIDATES = 256
MAX_EXPLAINED = 10
# A query and texts with fewer in all are read sooner than they are handed to another thread.
_FEW_CHARACTERS = 256
# The shares of a call's time after which no turn but the first is waited for: while others wait, whom it would slow
# down, and while nobody does, so that the answer is in time.
_TURNS_SHARE, _LONE_TURNS_SHARE = 0.25, 0.75
FURTHER_BUNDLES = "VITRINE_RANKER_FURTHER_BUNDLES"


class _KnownAnswer(BaseModel):
    """The pair in a bundle's manifest whose logit is known."""

    query: str
    document: str
    logit: float


class RankerEngine:
    """A cross-encoder bundle, batched over all callers; implements the port `Ranker`."""

    def __init__(
        self, bundle: Bundle, session: Session, tokenizer: Tokenizer, budget: ComputeBudget, settings: RankerSettings
    ) -> None:
        manifest = bundle.manifest
        self._calibration = _calibration(bundle)
        self._known = _known_answer(bundle)
        self._tolerance = settings.self_test_tolerance
        self._budget = budget
        self._session = session
        # Of a short window the query may take half, so that there is always room for the product.
        query_cap = min(settings.max_query_tokens, (manifest.max_tokens - SPECIAL_TOKENS) // 2)
        kept = KeptTokens(settings.kept_texts)
        self._pairs = PairBuilder(tokenizer, manifest.max_tokens, query_cap, kept)
        self._kept_logits = KeptLogits(settings.kept_logits)
        self._missed_results = settings.missed_results
        self._occluder = Occluder(tokenizer, self._pairs)
        self._turn_tokens = settings.batch.max_batch_tokens * budget.threads
        self._batcher: Batcher[Pair, FloatArray | Internal] = Batcher("ranker", self._logits, budget, settings.batch)
        self._model = manifest.model_info(session.runtime)

    @property
    def digest(self) -> str:
        """The model's digest."""
        return self._model.digest

    @classmethod
    async def open(cls, settings: RankerSettings, budget: ComputeBudget) -> "RankerEngine":
        """Loads and verifies the bundle; its model runs in `budget`.

        Raises FailedPrecondition when the bundle is missing, damaged, of another kind, or has no calibration.
        """

        def load() -> RankerEngine:
            bundle = load_bundle(settings.bundle, "ranker")
            session = load_session(bundle, budget, settings.runtime)
            return cls(bundle, session, Tokenizer(bundle), budget, settings)

        return await asyncio.to_thread(load)

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
        """Scores 1 to 256 candidates; the order is by score, ties by id, and a bad candidate fails alone.

        With `shown`, those are left out that would hardly come among so many of the best (`services.ranker.settled`).

        Raises InvalidArgument, FailedPrecondition for a model that is not served, and, when that comes before the first
        were scored, ResourceExhausted for a full queue and DeadlineExceeded. Later a full queue cuts the ranking short,
        and so do three quarters of the time, or, while others wait for the model, one.
        """
        served({self.digest: self}, model_digest, FURTHER_BUNDLES)
        check_counts(top_n, shown)
        text = _checked_query(query, candidates)
        deadline.check("ranking")
        since_s = time.perf_counter()
        turns_end, lone_turns_end = (
            Deadline.after(share * deadline.remaining_s()) for share in (_TURNS_SHARE, _LONE_TURNS_SHARE)
        )
        if sum(len(candidate.text) for candidate in candidates) + len(text) < _FEW_CHARACTERS:
            pairs = self._pairs.build(text, candidates)
        else:
            pairs = await self._budget.run(self._pairs.build, text, candidates)
        outputs: dict[int, FloatArray | VitrineError] = {
            index: pair for index, pair in enumerate(pairs) if isinstance(pair, VitrineError)
        }
        sound = {index: pair for index, pair in enumerate(pairs) if isinstance(pair, Pair)}
        kept = self._kept_logits.get(text, candidates)
        outputs.update((index, kept[index]) for index in sound if index in kept)
        settling = Settling(candidates, self._calibration, shown, self._missed_results)
        read, cut_short = 0, False
        while turn := settling.next_turn(sound.keys(), outputs):
            lengths = [len(sound[index].ids) for index in turn]
            until = turns_end if self._batcher.is_waited_for(lane) else lone_turns_end
            try:
                logits = await self._batcher.submit(
                    [sound[index] for index in turn],
                    lengths,
                    deadline=until if read else deadline,
                    lane=lane,
                    since_s=since_s,
                )
            except (ResourceExhausted, DeadlineExceeded):
                if not read:
                    raise
                cut_short = True
                break
            read += len(turn)
            for index, logit in zip(turn, logits, strict=True):
                outputs[index] = logit
                if not isinstance(logit, Internal):
                    self._kept_logits.put(text, candidates[index], logit)
        failures = tuple(
            RankFailure(index, candidates[index].id, output)
            for index, output in sorted(outputs.items())
            if isinstance(output, VitrineError)
        )
        scored = {index: output for index, output in outputs.items() if not isinstance(output, VitrineError)}
        ranked = self._ranked(candidates, sound, scored)
        return Ranking(tuple(ranked[:top_n]), self._model.digest, failures, read, cut_short)

    async def explain(
        self, query: str, candidates: Sequence[RankCandidate], *, deadline: Deadline, model_digest: str = ""
    ) -> Explanations:
        """Says which words made the logits of 1 to 10 candidates, by taking each word out in turn.

        Raises as `rank` does, InvalidArgument also for a candidate.
        """
        served({self.digest: self}, model_digest, FURTHER_BUNDLES)
        check_explained_count(len(candidates))
        _checked_query(query, candidates)
        seen: set[str] = set()
        for index, candidate in enumerate(candidates):
            if fault := candidate_fault(index, candidate, seen):
                raise fault
            if not normalize_text(candidate.text):
                raise invalid(f"candidates[{index}].text", "is empty; give the product's words")
            seen.add(candidate.id)
        explanations: list[Explanation] = []
        for index, candidate in enumerate(candidates):
            deadline.check("the explanation")
            occlusions = await self._budget.run(self._occluder.occlusions, query, candidate)
            logits = await self._logits_in_turns(occlusions.pairs, deadline)
            explanations.append(occlusions.explanation(index, candidate.id, logits))
        return Explanations(tuple(explanations), self._model.digest)

    async def _logits_in_turns(self, pairs: Sequence[Pair], deadline: Deadline) -> list[float]:
        """The pairs' logits, as many at a time as all threads read in one run: who ranks meanwhile waits no longer."""
        logits: list[float] = []
        waiting = list(pairs)
        while waiting:
            turn = waiting[: max(1, self._turn_tokens // max(len(pair.ids) for pair in waiting))]
            del waiting[: len(turn)]
            for logit in await self._batcher.submit(turn, [len(pair.ids) for pair in turn], deadline=deadline):
                if isinstance(logit, Internal):
                    raise logit
                logits.append(float(logit))
        return logits

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the model that is served."""
        return self._model

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """Names the model that is served."""
        return ServedModels((self._model,))

    async def self_test(self) -> None:
        """Runs the bundle's known pair, past the queue, and raises Internal when its logit is not the known one."""
        known = self._known
        candidate = RankCandidate("self-test", known.document)
        (pair,) = await self._budget.run(self._pairs.build, normalize_text(known.query), [candidate])
        if isinstance(pair, VitrineError):
            raise Internal(f"the ranker cannot read its bundle's known pair: {pair}", reason="SELF_TEST_FAILED")
        (logit,) = await self._budget.run_model(self._logits, [pair])
        if isinstance(logit, Internal):
            raise logit
        if abs(float(logit) - known.logit) > self._tolerance:
            raise Internal(
                f"the ranker gives {float(logit):.3f} for its bundle's known pair and not {known.logit:.3f}:"
                " weights, tokenizer and runtime do not fit together",
                reason="SELF_TEST_FAILED",
            )

    async def close(self) -> None:
        """Lets the batch that runs end; who waits gets Unavailable. The budget stays open."""
        await self._batcher.close()

    def _logits(self, pairs: Sequence[Pair]) -> Sequence[FloatArray | Internal]:
        return self._session.run([pair.ids for pair in pairs], [pair.type_ids for pair in pairs])

    def _ranked(
        self, candidates: Sequence[RankCandidate], pairs: dict[int, Pair], logits: dict[int, FloatArray]
    ) -> list[RankedCandidate]:
        indexes = sorted(logits)
        if not indexes:
            return []
        values = np.array([logits[index] for index in indexes], dtype=np.float32).reshape(-1)
        scores = scores_of(values, [candidates[index].evidence for index in indexes], self._calibration)
        probabilities = probabilities_of(scores, self._calibration)
        ranked = [
            RankedCandidate(
                index=index,
                id=candidates[index].id,
                logit=float(logit),
                score=float(score),
                probability=float(probability),
                query_tokens_dropped=pairs[index].query_tokens_dropped,
                text_tokens_dropped=pairs[index].text_tokens_dropped,
            )
            for index, logit, score, probability in zip(indexes, values, scores, probabilities, strict=True)
        ]
        return sorted(ranked, key=lambda candidate: (-candidate.score, candidate.id))


def _calibration(bundle: Bundle) -> Calibration:
    calibration = bundle.manifest.calibration
    if calibration is None or calibration.evidence.get("logit", 0.0) <= 0:
        raise FailedPrecondition(
            f"bundle {bundle.folder} has no calibration with a positive weight for the logit;"
            " a ranker's scores and probabilities have no meaning without it"
        )
    return calibration


def _known_answer(bundle: Bundle) -> _KnownAnswer:
    try:
        return _KnownAnswer.model_validate(bundle.manifest.self_test)
    except ValidationError:
        raise FailedPrecondition(
            f"bundle {bundle.folder} has no self_test with query, document and logit; train and write it again"
        ) from None


def check_candidate_count(count: int) -> None:
    """Raises InvalidArgument for more or fewer candidates than one call may have."""
    if not 1 <= count <= MAX_CANDIDATES:
        raise invalid("candidates", f"has {count} entries; give 1 to {MAX_CANDIDATES}")


def check_explained_count(count: int) -> None:
    """Raises InvalidArgument for more or fewer candidates than one call may explain."""
    if not 1 <= count <= MAX_EXPLAINED:
        raise invalid("candidates", f"has {count} entries; give 1 to {MAX_EXPLAINED}")


def _checked_query(query: str, candidates: Sequence[RankCandidate]) -> str:
    """The normalised query. Raises InvalidArgument naming the field that is wrong for the whole call."""
    if len(query) > MAX_QUERY_CHARACTERS:
        raise invalid("query", f"has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} are allowed")
    text = normalize_text(query)
    if not text:
        raise invalid("query", "is empty; give the words that the shopper searched for")
    check_candidate_count(len(candidates))
    return text
