"""The packaged all-MiniLM-L6-v2: a 6-layer English BERT encoder, hidden 384, as safetensors (Apache-2.0)."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from training.e5_weights import Floats
from training.errors import TrainingError


def read_minilm(path: Path) -> dict[str, Floats]:
    """The encoder's tensors under BERT's usual names, float32, without pooler and position ids."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"cannot read MiniLM weights: {path}: {error}") from error
    return {
        name: values.astype("float32")
        for name, values in tensors.items()
        if not name.startswith("pooler.") and not name.endswith("position_ids")
    }
