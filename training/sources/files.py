"""A run's source files, and the same opened."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.run_folder import file_digest
from training.sources.catalogue import Catalogue, read_catalogue
from training.sources.clicks import EventWeights
from training.sources.events import read_events
from training.sources.examination import Examination, estimate_examination
from training.sources.judgements import read_judgements
from training.sources.store import SourceStore, as_json, open_store


@dataclass(frozen=True)
class SourceFiles:
    """The files of a run. `mapping`: how a catalogue that is not in Vitrine's own layout is read, as in ingest."""

    products: tuple[Path, ...]
    events: tuple[Path, ...] = ()
    judgements: tuple[Path, ...] = ()
    mapping: Path | None = None
    weights: EventWeights = field(default_factory=EventWeights)

    def described(self) -> dict[str, Any]:
        """For run.json, so that a run folder of other files is refused: digests by role, mapping, weights."""
        roles = {"products": self.products, "events": self.events, "judgements": self.judgements}
        digests = {role: [file_digest(path) for path in paths] for role, paths in roles.items()}
        return digests | {"mapping": str(self.mapping or ""), "event_weights": asdict(self.weights)}


@dataclass(frozen=True)
class Sources:
    """Opened sources. `notes`: what was left out and what assumed, one line each, for the log and for people."""

    store: SourceStore
    catalogue: Catalogue
    examination: Examination | None  # None without events
    weights: EventWeights
    notes: tuple[str, ...]

    def close(self) -> None:
        """Close the store's file."""
        self.store.connection.close()


def open_sources(files: SourceFiles, folder: Path) -> Sources:
    """Read the files into `folder`, or take what an earlier run read there.

    Raises TrainingError as the readers of catalogue, judgements and events say.
    """
    digest = hashlib.sha256(as_json(files.described()).encode()).hexdigest()

    def fill(store: SourceStore) -> None:
        read_catalogue(store, files.products, files.mapping)
        if files.judgements:
            read_judgements(store, files.judgements)
        if files.events:
            read_events(store, files.events)

    store = open_store(folder, digest, fill)
    examination = estimate_examination(store, files.weights.eta) if files.events else None
    notes = (*store.notes, *([examination.said()] if examination else []))
    return Sources(store, Catalogue(store), examination, files.weights, notes)
