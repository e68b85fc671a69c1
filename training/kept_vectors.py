"""A catalogue's vectors kept on disk: embedding is most of an evaluation, and the next one may have the same model."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from vitrine.errors import FailedPrecondition
from vitrine.ports import ModelInfo
from vitrine.vectors import FloatArray


def read_kept(folder: Path, model: ModelInfo, texts: Sequence[str]) -> FloatArray | None:
    """The (n, dim) float32 vectors of exactly these texts by exactly this model; None when they were not kept.

    Raises FailedPrecondition when the file is damaged or cannot be read, or when `keep` could not write it. Where it is
    there, nobody need be allowed to write to the folder.
    """
    path = _path(folder, model, texts)
    if not path.is_file():
        # To be told of it when all are embedded would be late.
        _make(folder)
        return None
    try:
        vectors: FloatArray = np.load(path, allow_pickle=False)
        sound = vectors.shape == (len(texts), model.dim) and vectors.dtype == np.float32
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, EOFError):
        sound = False
    if not sound:
        raise FailedPrecondition(f"{path} is damaged; delete it and run again")
    return vectors


def keep(folder: Path, model: ModelInfo, texts: Sequence[str], vectors: FloatArray) -> None:
    """Writes the vectors, whole or not at all. Raises FailedPrecondition when the folder cannot be written to."""
    path = _path(folder, model, texts)
    scratch = path.with_name(f".{path.name}.tmp")
    _make(folder)
    try:
        with scratch.open("wb") as file:
            np.save(file, vectors, allow_pickle=False)
        scratch.replace(path)
    except OSError as error:
        raise FailedPrecondition(f"vectors cannot be kept in {folder}: {error}") from error


def _make(folder: Path) -> None:
    """Makes the folder. Raises FailedPrecondition where that, or a file in it, cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FailedPrecondition(f"vectors cannot be kept in {folder}: {error}") from error


def _path(folder: Path, model: ModelInfo, texts: Sequence[str]) -> Path:
    digest = hashlib.sha256(model.digest.encode())
    for text in texts:
        digest.update(b"\0" + text.encode())
    return folder / f"{digest.hexdigest()[:32]}.npy"
