"""The report of refused rows: JSON lines with where each stood and what is wrong."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from vitrine.errors import FieldViolation, InvalidArgument, VitrineError


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that did not become a product, its id where it was read, and the reasons by field."""

    row: int
    line: int
    id: str
    reasons: tuple[FieldViolation, ...]

    @classmethod
    def of(cls, row: int, line: int, product_id: str, error: VitrineError) -> "Refusal":
        """The refusal that an error means; its fields are seen from within the product."""
        reasons = error.violations if isinstance(error, InvalidArgument) else (FieldViolation("", error.message),)
        within = (
            FieldViolation(reason.field.partition("].")[2] or reason.field, reason.description) for reason in reasons
        )
        return cls(row, line, product_id, tuple(within))


class Report:
    """Appends refusals to a file that exists only where a row was refused."""

    def __init__(self, path: Path, keep_bytes: int = 0) -> None:
        """Keeps the first `keep_bytes` of a report that is gone on with."""
        self.path = path
        self.size = keep_bytes
        if path.exists():
            os.truncate(path, min(keep_bytes, path.stat().st_size))
            if not keep_bytes:
                path.unlink()

    def add(self, refusals: list[Refusal]) -> None:
        """Writes refusals so that they are on disk on return."""
        if not refusals:
            return
        lines = "".join(json.dumps(asdict(refusal), ensure_ascii=False) + "\n" for refusal in refusals)
        with self.path.open("ab") as file:
            # A lone surrogate in an id is what made some rows bad; it must not break the report.
            file.write(lines.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
            self.size = file.tell()
