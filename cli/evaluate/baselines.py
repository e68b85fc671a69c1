"""The base models as baselines: e5 and MiniLM from their packaged weights, zero-shot."""

from collections.abc import Sequence

import numpy as np

from evaluation.baselines import Encode
from evaluation.engines import Advance
from training.base_models import packaged_bases
from training.errors import TrainingError
from training.teachers import BaseEncoder, ShopText, load_e5, load_minilm
from vitrine.errors import FailedPrecondition
from vitrine.ports import InputType
from vitrine.vectors import FloatArray

_CHUNK = 256


def base_encoders(advance: Advance) -> dict[str, Encode]:
    """Encoders by name. Raises FailedPrecondition naming the wheel that is not installed."""
    try:
        files = packaged_bases()
    except TrainingError as error:
        raise FailedPrecondition(str(error)) from error
    return {
        "e5": _encode("e5", load_e5(files), advance),
        "minilm": _encode("minilm", load_minilm(files), advance),
    }


def _encode(name: str, model: BaseEncoder, advance: Advance) -> Encode:
    def encode(texts: Sequence[str], input_type: InputType) -> FloatArray:
        # In order of length, so that a chunk has little padding.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        parts = []
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            parts.append(model.vectors([ShopText(texts[row], input_type is InputType.QUERY) for row in rows]))
            advance(f"baseline {name}, {input_type.value} texts", start + len(rows), len(order))
        vectors = np.concatenate(parts)
        placed = np.empty_like(vectors)
        placed[order] = vectors
        return placed

    return encode
