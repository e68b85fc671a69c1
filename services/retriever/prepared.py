"""Products made ready for the catalogue and its views, on their way in and when they are read back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.changes import Changes
from services.retriever.lexical_index import Entry, entry_of
from services.retriever.product_document import document_of, product_of, with_description
from services.retriever.tables import Version
from vitrine.product import Product
from vitrine.product_digest import content_digest
from vitrine.vectors import FloatArray

_STEP = 2_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A product made ready to be written: its stored form and its index entry; `vector` (dim,) L2-normalised.

    One whose vector is None keeps that of the version it replaces. Of one that was read back for the views alone,
    document, description and digest are empty.
    """

    id: str
    document: str
    description: str
    entry: Entry
    vector: FloatArray | None
    digest: bytes
    # Vectors of further models, by their digests; of one that keeps its vector, those are kept too.
    further: Mapping[str, FloatArray] = field(default_factory=dict)

    def version(self, row: int, revision: int) -> Version:
        """What the catalogue stores."""
        assert self.vector is not None
        vector, entry = self.vector.astype("<f4").tobytes(), self.entry.encoded()
        return Version(row, self.id, revision, self.document, self.description, entry, vector, self.digest)


def prepared(product: Product, vector: FloatArray | None, further: Mapping[str, FloatArray] | None = None) -> Prepared:
    """Makes a product ready; most of what a write costs, done before the writer takes it."""
    document, entry, digest = document_of(product), entry_of(product), content_digest(product)
    return Prepared(product.id, document, product.description, entry, vector, digest, further or {})


def product_of_version(version: Version) -> Product:
    """The whole product that a version holds."""
    return with_description(product_of(version.id, version.document, version.revision), version.description)


def vector_of_version(version: Version) -> FloatArray:
    """The (dim,) vector that a version holds."""
    return vector_of_bytes(version.vector)


def vector_of_bytes(data: bytes) -> FloatArray:
    """The (dim,) float32 vector of the bytes in which the catalogue keeps it."""
    return np.frombuffer(data, "<f4").astype(np.float32, copy=False)


def steps(changes: Changes, catalogue: Catalogue) -> Iterator[list[tuple[int, Prepared]]]:
    """What was added, ready for the views, in steps that bound the memory they take; one step at least."""
    step: list[tuple[int, Prepared]] = []
    for row, product_id, encoded, data in changes.added:
        entry = Entry.decoded(encoded) or _stored_entry(catalogue, row)
        step.append((row, Prepared(product_id, "", "", entry, vector_of_bytes(data), b"")))
        if len(step) == _STEP:
            yield step
            step = []
    yield step


def _stored_entry(catalogue: Catalogue, row: int) -> Entry:
    [(_, product_id, document, revision)] = catalogue.documents([row])
    [(_, description)] = catalogue.descriptions([row])
    return entry_of(with_description(product_of(product_id, document, revision), description))
