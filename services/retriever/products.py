"""Products of the catalogue by row key, those used last kept ready in memory."""

from collections.abc import Sequence

from services.retriever.catalogue import Catalogue
from services.retriever.product_document import product_of, with_description
from vitrine.product import Product
from vitrine.product_text import RANKING_DESCRIPTION_CHARACTERS
from vitrine.recent import Recent


class Products:
    """Reads versions; a row key names one version for ever, so what is kept is never stale."""

    def __init__(self, catalogue: Catalogue, kept: int) -> None:
        self._catalogue = catalogue
        self._kept: Recent[int, Product] = Recent(kept)
        # What is suggested is little of all there is, and the same again and again.
        self._undescribed: Recent[int, Product] = Recent(kept // 4)

    def undescribed(self, rows: Sequence[int]) -> dict[int, Product]:
        """The product of each row key, its description perhaps left out."""
        found = self._kept.get_all(rows)
        found |= self._undescribed.get_all([row for row in rows if row not in found])
        missing = [row for row in rows if row not in found]
        for row, product_id, document, revision, _ in self._catalogue.shown(missing, 0):
            found[row] = self._undescribed.setdefault(row, product_of(product_id, document, revision))
        return found

    def at_hand(self, rows: Sequence[int]) -> dict[int, Product] | None:
        """What `read` gives without whole descriptions, where all are in memory; None where some would be fetched."""
        found = self._kept.get_all(rows)
        return found if len(found) == len(rows) else None

    def read(self, rows: Sequence[int], described: bool) -> dict[int, Product]:
        """The product of each row key; its description whole where `described`, else what a ranker reads of it."""
        found = self._kept.get_all(rows)
        missing = [row for row in rows if row not in found]
        shown = self._catalogue.shown(missing, RANKING_DESCRIPTION_CHARACTERS)
        for row, product_id, document, revision, description in shown:
            product = product_of(product_id, document, revision, description)
            found[row] = self._kept.setdefault(row, product)
        if described:
            for row, description in self._catalogue.descriptions(rows):
                found[row] = with_description(found[row], description)
        return found
