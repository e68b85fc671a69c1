"""Product tokens kept between queries: a product's text is tokenised once per version."""

from array import array
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from vitrine.recent import Recent

_LOOKUPS = Counter("vitrine_ranker_kept_texts", "Product texts looked up among those kept as tokens", ["outcome"])
_KEPT = Gauge("vitrine_ranker_kept_text_entries", "Product texts kept as tokens")


@dataclass(frozen=True, slots=True)
class TextTokens:
    """A text's first token ids, without special ones, and how many it had in all."""

    ids: "array[int]"
    count: int


class KeptTokens:
    """At most `limit` texts by product id and revision; the one unused for longest goes first. Safe in threads.

    An entry also names its text, so that a catalogue that was made anew and counts its revisions from 1 again, or two
    catalogues behind one ranker, never get the tokens of another text.
    """

    def __init__(self, limit: int) -> None:
        self._entries: Recent[tuple[str, int], tuple[int, TextTokens]] = Recent(limit)

    def get(self, product_id: str, revision: int, text: str) -> TextTokens | None:
        """The tokens of that version of the product, None when they are not kept; revision 0 never is."""
        entry = self._entries.get((product_id, revision))
        found = entry is not None and entry[0] == hash(text)
        _LOOKUPS.labels("hit" if found else "miss").inc()
        return entry[1] if entry is not None and found else None

    def put(self, product_id: str, revision: int, text: str, tokens: TextTokens) -> None:
        """Keeps the tokens, unless revision is 0."""
        if revision == 0:
            return
        self._entries.put((product_id, revision), (hash(text), tokens))
        _KEPT.set(len(self._entries))
