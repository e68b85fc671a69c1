"""How far an ingest came: written after each acknowledgement, gone when it is done."""

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

_FINGERPRINT_BYTES = 1 << 20


class Progress(BaseModel):
    """Rows up to `rows` are settled: acknowledged as durable, or refused and reported.

    `last_id` is the last product that was acknowledged; `report_bytes` is the report's length at that moment. Of a feed
    some rows are not sent: `unchanged` ones, and those `left_out` as shoppers do not see them; `run` is its number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: str
    rows: int = 0
    accepted: int = 0
    refused: int = 0
    last_id: str = ""
    report_bytes: int = 0
    unchanged: int = 0
    left_out: int = 0
    repeated: int = 0
    run: int = 0


class Checkpoint:
    """The progress of one file into one target, kept in a file of `state_dir`."""

    def __init__(self, state_dir: Path, source: Path, target: str) -> None:
        name = hashlib.sha256(f"{source.resolve()}\n{target}".encode()).hexdigest()[:12]
        self.path = state_dir / f"{source.name}-{name}.checkpoint.json"
        self.report_path = state_dir / f"{source.name}-{name}.refused.jsonl"
        state_dir.mkdir(parents=True, exist_ok=True)

    def load(self, fingerprint: str) -> Progress:
        """What was kept for this very source and mapping, else a beginning."""
        try:
            kept = Progress.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValidationError):
            # Written whole or not at all, so an unreadable one is of another version; products go by id, so that
            # beginning again doubles nothing.
            return Progress(fingerprint=fingerprint)
        return kept if kept.fingerprint == fingerprint else Progress(fingerprint=fingerprint)

    def save(self, progress: Progress) -> None:
        """Keeps the progress, durable on return."""
        scratch = self.path.with_suffix(".tmp")
        with scratch.open("w", encoding="utf-8") as file:
            file.write(progress.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.path)

    def clear(self) -> None:
        """Forgets the progress: the work is done, and the next time begins anew."""
        self.path.unlink(missing_ok=True)


def fingerprint_of(source: Path, layout: str) -> str:
    """Identifies a file's content (its size, beginning and end) and how it is read."""
    size = source.stat().st_size
    digest = hashlib.sha256(f"{size}\n{layout}\n".encode())
    with source.open("rb") as file:
        digest.update(file.read(_FINGERPRINT_BYTES))
        file.seek(max(0, size - _FINGERPRINT_BYTES))
        digest.update(file.read(_FINGERPRINT_BYTES))
    return digest.hexdigest()
