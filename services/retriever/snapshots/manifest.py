"""A snapshot's manifest: what it holds, and the size and digest of each of its files. Written last."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.retriever.tables import FORMAT
from vitrine.errors import FailedPrecondition

NAME = "manifest.json"
# What a database holds.
_Number = Annotated[int, Field(ge=0, lt=1 << 63)]


class SnapshotFile(BaseModel):
    """A Parquet file of rows of one table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    table: str
    rows: _Number
    bytes: _Number
    sha256: str


class Manifest(BaseModel):
    """What a snapshot holds. `catalogue_format` is that of its tables; model_digest "" where no product is in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    catalogue_format: _Number
    catalogue_id: str
    create_time: datetime
    revision: _Number
    products: _Number
    model_digest: str
    dim: _Number
    update_time_s: float | None
    next_row: _Number
    files: tuple[SnapshotFile, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all its files."""
        return sum(file.bytes for file in self.files)


def read_manifest(data: bytes, name: str) -> Manifest:
    """The manifest in `data`. Raises FailedPrecondition where it is torn, or of another version."""
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        what = error.errors()[0]
        place = ".".join(map(str, what["loc"])) or "it"
        raise FailedPrecondition(f"{name} is torn or none of ours: {place}: {what['msg']}") from error
    if manifest.catalogue_format != FORMAT:
        raise FailedPrecondition(
            f"{name} is of catalogue format {manifest.catalogue_format} and this version reads {FORMAT}; "
            "restore it with the version of Vitrine that made it"
        )
    return manifest
