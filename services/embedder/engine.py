"""The embedder's work: text and history to vector. Knows neither gRPC nor protobuf."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from services.embedder.history import HistoryEncoder
from services.embedder.settings import EmbedderSettings
from vitrine.batching import Batcher
from vitrine.bundle import Bundle, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, Internal, VitrineError, invalid
from vitrine.inference import Session, load_session
from vitrine.ports import (
    EmbeddedItem,
    Embeddings,
    EncodedHistories,
    HistoryItem,
    InputType,
    Lane,
    ModelInfo,
    ServedModels,
)
from vitrine.recommender_bundle import load_recommender
from vitrine.served_models import served
from vitrine.text import normalize_text
from vitrine.tokenization import Tokenizer, Tokens
from vitrine.vectors import FloatArray

MAX_TEXTS = 256
MAX_TEXT_CHARACTERS = 32_768
# Texts with fewer in all, such as a query, are read sooner than they are handed to another thread.
_FEW_CHARACTERS = 256
FURTHER_BUNDLES = "VITRINE_EMBEDDER_FURTHER_BUNDLES"


class _KnownAnswer(BaseModel):
    """The text in a bundle's manifest whose vector, or its first numbers, is known."""

    text: str
    input_type: InputType
    vector_head: list[float] = Field(min_length=2)


class EmbedderEngine:
    """A bi-encoder bundle, batched over all callers; implements the port `Embedder`."""

    def __init__(
        self,
        bundle: Bundle,
        session: Session,
        tokenizer: Tokenizer,
        history: HistoryEncoder | None,
        budget: ComputeBudget,
        settings: EmbedderSettings,
    ) -> None:
        manifest = bundle.manifest
        self._known = _known_answer(bundle)
        self._least_cosine = settings.self_test_cosine
        self._prompts = {input_type: manifest.prompts.get(input_type.value, "") for input_type in InputType}
        self._budget = budget
        self._session = session
        self._tokenizer = tokenizer
        self._batcher: Batcher[Tokens, FloatArray | Internal] = Batcher(
            "embedder", self._vectors, budget, settings.batch
        )
        self._history = history
        digest = history.digest if history is not None else ""
        self._model = replace(manifest.model_info(session.runtime), recommender_digest=digest)

    @property
    def digest(self) -> str:
        """The model's digest."""
        return self._model.digest

    @classmethod
    async def open(cls, settings: EmbedderSettings, budget: ComputeBudget) -> "EmbedderEngine":
        """Loads and verifies the bundle, and the recommender's where one is set; their models run in `budget`.

        Raises FailedPrecondition when one is missing, damaged, of another kind, or does not fit into memory, or the
        recommender was trained with another embedder.
        """

        def load() -> EmbedderEngine:
            bundle = load_bundle(settings.bundle, "embedder")
            session = load_session(bundle, budget, settings.runtime)
            history: HistoryEncoder | None = None
            if settings.recommender:
                recommender = load_recommender(Path(settings.recommender))
                recommender.require_embedder(bundle.manifest.digest)
                history = HistoryEncoder(recommender, budget, settings.batch, settings.self_test_cosine)
            return cls(bundle, session, Tokenizer(bundle), history, budget, settings)

        return await asyncio.to_thread(load)

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
        """Embeds 1 to 256 texts; a bad text fails alone, and its vector is zeros.

        Raises InvalidArgument, FailedPrecondition for a model that is not served, ResourceExhausted when the queue is
        full, and DeadlineExceeded.
        """
        served({self.digest: self}, model_digest, FURTHER_BUNDLES)
        if not 1 <= len(texts) <= MAX_TEXTS:
            raise invalid("texts", f"has {len(texts)} entries; give 1 to {MAX_TEXTS}")
        deadline.check("embedding")
        if sum(map(len, texts)) < _FEW_CHARACTERS:
            read = self._read(texts, input_type, refuse_overflow)
        else:
            read = await self._budget.run(self._read, texts, input_type, refuse_overflow)
        sound = [tokens for tokens in read if isinstance(tokens, Tokens)]
        lengths = [len(tokens.ids) for tokens in sound]
        outputs = iter(await self._batcher.submit(sound, lengths, deadline=deadline, lane=lane))
        vectors = np.zeros((len(texts), self._model.dim), dtype=np.float32)
        items = []
        for index, tokens in enumerate(read):
            if isinstance(tokens, VitrineError):
                items.append(EmbeddedItem(error=tokens))
                continue
            output = next(outputs)
            error = output if isinstance(output, Internal) else None
            if not isinstance(output, Internal):
                vectors[index] = output
            items.append(EmbeddedItem(len(tokens.ids) + tokens.dropped, tokens.dropped, error))
        return Embeddings(vectors, tuple(items), self._model.digest, self._prompts[input_type])

    async def encode_history(
        self,
        histories: Sequence[Sequence[HistoryItem]],
        item_vectors: FloatArray,
        *,
        recommender_digest: str,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
    ) -> EncodedHistories:
        """Encodes 1 to 64 histories of 1 to 200 items; all of them, or it fails.

        Raises InvalidArgument, FailedPrecondition when no recommender is served or the vectors are of another one,
        ResourceExhausted when the queue is full, and DeadlineExceeded.
        """
        if self._history is None:
            raise FailedPrecondition(
                "no recommender is served here; set VITRINE_EMBEDDER_RECOMMENDER to a bundle's folder",
                reason="NO_RECOMMENDER",
            )
        return await self._history.encode(
            histories, item_vectors, recommender_digest=recommender_digest, deadline=deadline, lane=lane
        )

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """Names the model that is served."""
        return self._model

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """Names the model that is served, and its recommender."""
        return ServedModels((self._model,), (self._history.digest,) if self._history is not None else ())

    async def self_test(self) -> None:
        """Embeds the bundle's known text, past the queue, and raises Internal when its vector is not the known one.

        So it does with the recommender's known history, where there is one.
        """
        known = self._known
        (tokens,) = await self._budget.run(self._read, [known.text], known.input_type, False)
        if isinstance(tokens, VitrineError):
            raise Internal(f"the embedder cannot read its bundle's known text: {tokens}", reason="SELF_TEST_FAILED")
        (vector,) = await self._budget.run_model(self._vectors, [tokens])
        if isinstance(vector, Internal):
            raise vector
        cosine, norm = _cosine(vector[: len(known.vector_head)], known.vector_head), float(np.linalg.norm(vector))
        if vector.shape != (self._model.dim,) or cosine < self._least_cosine or abs(norm - 1) > 0.01:
            raise Internal(
                f"the embedder's vector of its bundle's known text has {vector.shape[0]} numbers, length {norm:.3f} and"
                f" cosine {cosine:.3f} to the known one, not {self._model.dim}, 1 and >= {self._least_cosine}:"
                " weights, tokenizer and runtime do not fit together",
                reason="SELF_TEST_FAILED",
            )
        if self._history is not None:
            await self._history.self_test()

    async def close(self) -> None:
        """Lets the batch that runs end; who waits gets Unavailable. The budget stays open."""
        await self._batcher.close()
        if self._history is not None:
            await self._history.close()

    def _read(self, texts: Sequence[str], input_type: InputType, refuse_overflow: bool) -> list[Tokens | VitrineError]:
        """The tokens of each text after its prompt, or why it cannot be embedded."""
        normal = [normalize_text(text) if len(text) <= MAX_TEXT_CHARACTERS else "" for text in texts]
        prompt = self._prompts[input_type]
        encoded = self._tokenizer.encode([prompt + text for text in normal], self._model.max_tokens)
        read: list[Tokens | VitrineError] = []
        for index, (text, tokens) in enumerate(zip(texts, encoded, strict=True)):
            field = f"texts[{index}]"
            if len(text) > MAX_TEXT_CHARACTERS:
                read.append(invalid(field, f"has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} are allowed"))
            elif not normal[index]:
                read.append(invalid(field, "is empty once normalised; give words to embed", reason="EMPTY_TEXT"))
            elif refuse_overflow and tokens.dropped:
                total = len(tokens.ids) + tokens.dropped
                fault = f"has {total} tokens and {self._model.max_tokens} fit; shorten it or allow truncation"
                read.append(invalid(field, fault, reason="TEXT_TOO_LONG"))
            else:
                read.append(tokens)
        return read

    def _vectors(self, batch: Sequence[Tokens]) -> Sequence[FloatArray | Internal]:
        return self._session.run([tokens.ids for tokens in batch])


def _known_answer(bundle: Bundle) -> _KnownAnswer:
    try:
        return _KnownAnswer.model_validate(bundle.manifest.self_test)
    except ValidationError:
        raise FailedPrecondition(
            f"bundle {bundle.folder} has no self_test with text, input_type and vector_head; write it again"
        ) from None


def _cosine(a: FloatArray, b: Sequence[float]) -> float:
    return float(a @ np.asarray(b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
