"""Known words on disk, as of a revision: a start reads them and what was written since, and not every product."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from services.retriever.lexical_index import ENTRY_VERSION
from services.retriever.milvus.known_words import KnownWords
from services.retriever.tables import State

# Grows with every change of what is saved.
_FORMAT = f"1.{ENTRY_VERSION}"

_log = structlog.get_logger(__name__)


def save_words(words: KnownWords, path: Path, state: State) -> None:
    """Replaces what is saved. A disk that takes no more is logged: then the next start reads every product."""
    new = path.with_suffix(".new")
    of = np.array([_FORMAT, state.catalogue_id, str(state.revision)])
    arrays: dict[str, Any] = {"of": of, **words.arrays()}
    try:
        with new.open("wb") as file:
            # Each array has its checksum, by the format.
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        _log.warning("words not saved", error=str(error))


def saved_words(path: Path, catalogue_id: str) -> tuple[KnownWords, int] | None:
    """The words and their revision; None where there are none of this catalogue, or they do not hold together."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            form, of, revision = file["of"].tolist()
            if (form, of) != (_FORMAT, catalogue_id):
                return None
            return KnownWords.restored({name: file[name] for name in file.files if name != "of"}), int(revision)
    except (OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
        _log.warning("saved words made anew", error=repr(error))
        return None
