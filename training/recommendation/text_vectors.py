"""Products' text vectors by the embedder that serves, kept on disk between runs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from training.errors import TrainingError
from training.kept_vectors import keep, read_kept
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.ports import InputType, Lane, ModelInfo
from vitrine.product import Product
from vitrine.product_text import embedding_text
from vitrine.vectors import FloatArray

_TEXTS = 128
_TIMEOUT_S = 600.0

# Told how many of how many are done.
Moved = Callable[[int, int], None]


async def text_vectors(
    embedder: Path, products: Sequence[Product], kept: Path, moved: Moved
) -> tuple[FloatArray, ModelInfo]:
    """(n, dim) float32, L2-normalised, and the model that made them; from the folder `kept` where they lie there.

    Raises TrainingError when the bundle cannot be used or a product has no text that can be embedded.
    """
    budget = ComputeBudget()
    try:
        engine = await EmbedderEngine.open(EmbedderSettings(bundle=embedder), budget)
        try:
            await engine.self_test()
            model = await engine.get_model(deadline=_later())
            texts = [embedding_text(product) for product in products]
            vectors = read_kept(kept, model, texts)
            if vectors is None:
                vectors = await _embedded(engine, model, products, texts, moved)
                keep(kept, model, texts, vectors)
            return vectors, model
        finally:
            await engine.close()
    except VitrineError as error:
        raise TrainingError(f"{embedder}: {error}") from error
    finally:
        await budget.close()


async def _embedded(
    engine: EmbedderEngine, model: ModelInfo, products: Sequence[Product], texts: Sequence[str], moved: Moved
) -> FloatArray:
    # In order of length: texts of one batch are padded to the longest.
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    vectors = np.zeros((len(texts), model.dim), np.float32)
    for start in range(0, len(order), _TEXTS):
        rows = order[start : start + _TEXTS]
        found = await engine.embed(
            [texts[row] for row in rows], input_type=InputType.DOCUMENT, deadline=_later(), lane=Lane.BULK
        )
        for row, item in zip(rows, found.items, strict=True):
            if item.error is not None:
                raise TrainingError(f"product {products[row].id} cannot be embedded: {item.error}")
        vectors[rows] = found.vectors
        moved(start + len(rows), len(order))
    return vectors


def _later() -> Deadline:
    return Deadline.after(_TIMEOUT_S)
