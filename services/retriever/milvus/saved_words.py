"""Known words on disk, as of a revision: a start reads them and what was written since, and not every product."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from services.retriever.catalogue import Catalogue
from services.retriever.lexical_index import ENTRY_VERSION
from services.retriever.milvus.known_words import KnownWords
from services.retriever.prepared import steps
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


def read_words(path: Path, catalogue: Catalogue) -> KnownWords:
    """Those that were saved, with what was written since; all anew where that is not possible."""
    for words, revision in _beginnings(path, catalogue.state().catalogue_id):
        with catalogue.changes_since(revision) as changes:
            # None: what died since is cleared away. Before the saved revision: the catalogue was set back.
            if changes is not None and revision <= changes.state.revision:
                dead = [row for row, _ in changes.dead]
                for added in steps(changes, catalogue):
                    words.follow(dead, added)
                    dead = []
                return words
    raise AssertionError("after revision 0 everything is there")


def _beginnings(path: Path, catalogue_id: str) -> Iterator[tuple[KnownWords, int]]:
    """The saved words and their revision, if they are there and whole, and none at revision 0."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            form, of, revision = file["of"].tolist()
            saved = {name: file[name] for name in file.files if name != "of"}
        if (form, of) == (_FORMAT, catalogue_id):
            yield KnownWords.restored(saved), int(revision)
    except FileNotFoundError:
        pass
    except (OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
        _log.warning("saved words made anew", error=repr(error))
    yield KnownWords(), 0
