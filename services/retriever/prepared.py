"""Products made ready for the catalogue and its views, on their way in and when they are read back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, groupby

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.changes import Changes
from services.retriever.lexical_index import Entry, entry_of, is_current
from services.retriever.product_document import document_of, product_of, with_description
from services.retriever.sheet import Sheet
from services.retriever.stored_entries import entry_made_anew
from services.retriever.tables import Version
from services.retriever.texts import Texts
from vitrine.errors import InvalidArgument
from vitrine.product import Product
from vitrine.product_digest import content_digest
from vitrine.vectors import FloatArray

_STEP = 2_000


# Not frozen, which takes thrice as long to make.
@dataclass(slots=True)
class Prepared:
    """A product made ready to be written: its stored form and its index entry; `vector` (dim,) L2-normalised.

    One whose vector is None keeps that of the version it replaces. Of one that was read back for the views alone,
    document, description and digest are empty. `sheet` holds it at `place` with those it was made ready with.
    """

    id: str
    document: str
    description: str
    encoded: str
    digest: bytes
    vector: FloatArray | None = None
    # Vectors of further models, by their digests; of one that keeps its vector, those are kept too.
    further: Mapping[str, FloatArray] = field(default_factory=dict)
    sheet: Sheet | None = None
    place: int = 0

    def version(self, row: int, revision: int) -> Version:
        """What the catalogue stores."""
        assert self.vector is not None
        vector = self.vector.astype("<f4", copy=False).tobytes()
        return Version(row, self.id, revision, self.document, self.description, self.encoded, vector, self.digest)

    @property
    def entry(self) -> Entry:
        """What the indexes hold of it, read from how that is encoded."""
        entry = Entry.decoded(self.encoded)
        assert entry is not None
        return entry


def prepared_of(texts: Texts) -> Iterator[Prepared | InvalidArgument]:
    """Each product without its vector, or what is wrong with it, in the order in which they came."""
    stored = zip(texts.ids, texts.documents, texts.descriptions, texts.entries, texts.digests, strict=True)
    places = count()
    for number in range(len(texts.ids) + len(texts.faults)):
        if (fault := texts.faults.get(number)) is not None:
            yield InvalidArgument(*fault)
        else:
            yield Prepared(*next(stored), sheet=texts.sheet, place=next(places))


def prepared(product: Product, vector: FloatArray | None) -> Prepared:
    """Makes a product that was checked before ready by itself."""
    entry = entry_of(product).encoded()
    return Prepared(product.id, document_of(product), product.description, entry, content_digest(product), vector)


def product_of_version(version: Version) -> Product:
    """The whole product that a version holds."""
    return with_description(product_of(version.id, version.document, version.revision), version.description)


def vector_of_version(version: Version) -> FloatArray:
    """The (dim,) vector that a version holds."""
    return vector_of_bytes(version.vector)


def vector_of_bytes(data: bytes) -> FloatArray:
    """The (dim,) float32 vector of the bytes in which the catalogue keeps it."""
    return np.frombuffer(data, "<f4").astype(np.float32, copy=False)


def in_sheets(added: Sequence[tuple[int, Prepared]]) -> Iterator[tuple[list[int], list[Prepared], Sheet]]:
    """Row keys and products that are one sheet, in their order; a sheet is made of those that are no whole one."""
    for _, pairs in groupby(added, key=lambda pair: id(pair[1].sheet)):
        rows, items = map(list, zip(*pairs, strict=True))
        sheet = items[0].sheet
        if sheet is None or [item.place for item in items] != list(range(sheet.count)):
            sheet = Sheet.of([item.id for item in items], [item.entry for item in items])
        yield rows, items, sheet


def steps(changes: Changes, catalogue: Catalogue) -> Iterator[list[tuple[int, Prepared]]]:
    """What was added, ready for the views, in steps that bound the memory they take; one step at least."""
    step: list[tuple[int, Prepared]] = []
    for row, product_id, encoded, data in changes.added:
        entry = encoded if is_current(encoded) else catalogue.read(partial(entry_made_anew, row=row)).encoded()
        step.append((row, Prepared(product_id, "", "", entry, b"", vector_of_bytes(data))))
        if len(step) == _STEP:
            yield step
            step = []
    yield step
