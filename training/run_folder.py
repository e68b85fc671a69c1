"""A training run's folder: what made it (run.json), log.jsonl, finished steps and checkpoints; writes are atomic.

Of several processes only the main one writes; the others wait for what it makes and read it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from training.e5_weights import Floats
from training.errors import TrainingError
from training.processes import processes


class RunFolder:
    """Opened for one command with one set of settings; the same command resumes it, another is refused."""

    def __init__(self, path: Path, command: str, settings: Mapping[str, Any]) -> None:
        self.path = path
        # As JSON gives them back: a tuple comes back as a list.
        self.settings = json.loads(json.dumps({"command": command, **settings}))
        if processes().is_main_process:
            self._open(path / "run.json")

    def _open(self, made_by: Path) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        if made_by.exists():
            try:
                before = json.loads(made_by.read_text(encoding="utf-8"))
            except ValueError as error:
                raise TrainingError(f"run folder is damaged: {made_by} is not JSON") from error
            differing = sorted(k for k in {*before, *self.settings} if before.get(k) != self.settings.get(k))
            if differing:
                name = differing[0]
                was, now = before.get(name), self.settings.get(name)
                raise TrainingError(
                    f"run folder {self.path} was made with {name} = {was!r}, not {now!r}; give another folder"
                )
        else:
            write_atomically(made_by, json.dumps(self.settings, indent=1).encode())

    def log(self, **values: Any) -> None:
        """Append one line to log.jsonl, with the time in seconds since the epoch."""
        if not processes().is_main_process:
            return
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time_s": round(time.time(), 1), **values}) + "\n")

    def arrays(self, name: str, make: Callable[[], dict[str, Floats]]) -> dict[str, Floats]:
        """The arrays of a step: read when it was finished before, else made and kept."""
        path = self.path / f"{name}.npz"

        def write() -> None:
            started = time.monotonic()
            scratch = path.with_name(f".{name}.tmp.npz")
            np.savez(scratch, **make())  # type: ignore[arg-type]
            scratch.replace(path)
            self.log(step=name, seconds=round(time.monotonic() - started, 1))

        self.once(path, write)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
            raise TrainingError(f"step result is cut short or damaged: {path}; delete it to make it again") from error

    def json(self, name: str, make: Callable[[], Any]) -> Any:
        """A step's result that JSON can hold: read when it was finished before, else made and kept."""
        path = self.path / f"{name}.json"
        self.once(path, lambda: write_atomically(path, json.dumps(make(), ensure_ascii=False).encode()))
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrainingError(f"step result is cut short or damaged: {path}; delete it to make it again") from error

    def once(self, path: Path, write: Callable[[], None]) -> None:
        """Have the main process write `path`, whole, unless it is there; all return when it is."""
        if processes().is_main_process and not path.exists():
            write()
        processes().wait_for_everyone()

    def save_checkpoint(self, name: str, state: Mapping[str, Any]) -> None:
        if not processes().is_main_process:
            return
        path = self.path / f"{name}.checkpoint"
        scratch = path.with_name(f".{path.name}.tmp")
        torch.save(dict(state), scratch)
        scratch.replace(path)

    def load_checkpoint(self, name: str) -> dict[str, Any] | None:
        """The step's last checkpoint, or None. Raises TrainingError when it is cut short."""
        path = self.path / f"{name}.checkpoint"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
            raise TrainingError(
                f"checkpoint is cut short or damaged: {path}; delete it to start the step again"
            ) from error
        return state


def write_atomically(path: Path, data: bytes) -> None:
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_bytes(data)
    scratch.replace(path)


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, hex. Raises TrainingError when it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from error
