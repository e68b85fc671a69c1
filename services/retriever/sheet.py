"""A sheet: all that the indexes take of some products, made beside the writer, which only has to add it."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.retriever.field_sheet import FieldSheet
from services.retriever.lexical_index import Entry, WordSheet
from services.retriever.suggest.segment import Segment, segment_of, suggestible_of


@dataclass(frozen=True, slots=True)
class Sheet:
    """Of `count` products: what they are found by, their values, and what may be suggested of them.

    Row keys are not known yet: a product's place in the sheet stands for its own.
    """

    count: int
    words: WordSheet
    fields: FieldSheet
    segment: Segment

    @classmethod
    def of(cls, ids: Sequence[str], entries: Sequence[Entry]) -> "Sheet":
        """The sheet of products by id and entry."""
        suggestible = (suggestible_of(place, entry) for place, entry in enumerate(entries))
        return cls(
            len(ids),
            WordSheet.of(zip(ids, entries, strict=True)),
            FieldSheet.of(ids, [entry.values for entry in entries]),
            segment_of([product for product in suggestible if product is not None]),
        )
