"""Embeddings of products' texts, made in the bulk lane: what an ingest pays for, wherever it runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitrine.deadline import Deadline
from vitrine.errors import FieldViolation, InvalidArgument, ResourceExhausted, Unavailable, VitrineError
from vitrine.ports import Embedder, Embeddings, InputType, Lane

_TEXTS = 128


async def embedded(embedder: Embedder, texts: Sequence[str], *, model_digest: str, deadline: Deadline) -> Embeddings:
    """The texts' embeddings by one model ("": the embedder's first), from as few calls as the embedder allows."""
    parts = [
        await _in_turn(embedder, texts[start : start + _TEXTS], model_digest, deadline)
        for start in range(0, len(texts), _TEXTS)
    ]
    if len({part.model_digest for part in parts}) > 1:
        raise Unavailable("the embedder changed its model during the write; send the request again")
    return replace(
        parts[0],
        vectors=np.concatenate([part.vectors for part in parts]),
        items=tuple(item for part in parts for item in part.items),
    )


def at_field(error: VitrineError, field: str) -> VitrineError:
    """The error of a text, at the field that the text was made of."""
    if not isinstance(error, InvalidArgument):
        return error
    return InvalidArgument(*(FieldViolation(field, v.description) for v in error.violations), reason=error.reason)


async def _in_turn(embedder: Embedder, texts: Sequence[str], model_digest: str, deadline: Deadline) -> Embeddings:
    """Embeds one batch; where the embedder is full, a write waits its turn as long as there is time."""
    while True:
        try:
            return await embedder.embed(
                texts,
                input_type=InputType.DOCUMENT,
                deadline=deadline,
                lane=Lane.BULK,
                model_digest=model_digest,
            )
        except ResourceExhausted as full:
            if full.retry_after_s is None or full.retry_after_s >= deadline.remaining_s():
                raise
            await asyncio.sleep(full.retry_after_s)
