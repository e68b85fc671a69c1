"""Vectors are found again for the same model and texts only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.kept_vectors import keep, read_kept
from vitrine.errors import FailedPrecondition
from vitrine.ports import ModelInfo

MODEL = ModelInfo("m", "1", "sha256:1", 2, 8, ("en",), "onnxruntime")
VECTORS = np.array([[1, 0], [0, 1]], dtype=np.float32)


def test_same_model_and_texts(tmp_path: Path) -> None:
    assert read_kept(tmp_path / "new", MODEL, ["a", "b"]) is None
    keep(tmp_path / "new", MODEL, ["a", "b"], VECTORS)
    found = read_kept(tmp_path / "new", MODEL, ["a", "b"])
    assert found is not None
    assert np.array_equal(found, VECTORS)
    assert read_kept(tmp_path / "new", MODEL, ["a", "c"]) is None
    assert read_kept(tmp_path / "new", replace(MODEL, digest="sha256:2"), ["a", "b"]) is None
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    keep(tmp_path, MODEL, ["a", "b"], VECTORS)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(FailedPrecondition, match=f"{path.name} is damaged; delete it"):
        read_kept(tmp_path, MODEL, ["a", "b"])


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FailedPrecondition, match="vectors cannot be kept"):
        keep(tmp_path / "file", MODEL, ["a", "b"], VECTORS)
    # And before they are made, not only after.
    with pytest.raises(FailedPrecondition, match="vectors cannot be kept"):
        read_kept(tmp_path / "file", MODEL, ["a", "b"])


def test_a_folder_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even root writes there; where the vectors wait already, they are read."""
    with pytest.raises(FailedPrecondition, match="vectors cannot be kept in /proc"):
        read_kept(Path("/proc"), MODEL, ["a", "b"])
    keep(tmp_path, MODEL, ["a", "b"], VECTORS)
    monkeypatch.setattr("training.kept_vectors.TemporaryFile", None)
    assert read_kept(tmp_path, MODEL, ["a", "b"]) is not None
