"""The words that a catalogue is written in, kept beside Milvus, which lists none: for reading queries, and to suggest.

Made from the catalogue's entries, followed with every write, and saved at the end; about 100 bytes a product.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.retriever.lexical_index import SURFACE_OF
from services.retriever.milvus.living_rows import LivingRows
from services.retriever.prepared import Prepared
from services.retriever.suggest.index import SuggestIndex
from services.retriever.suggest.segment import WORD_BYTES, Segment, segment_of, suggestible_of
from services.retriever.suggest.table import Numbers
from services.retriever.vocabulary import Vocabulary

# So few products are looked at one by one, whether they live; of more, some do.
_FEW = 64


@dataclass(frozen=True, slots=True)
class WordsView:
    """The words as of one moment. `vocabulary` and `suggest` are of now, which may be later: `living` says what of it
    is shown."""

    vocabulary: Vocabulary
    suggest: SuggestIndex
    living: LivingRows

    def titles_with(self, word: str) -> int:
        """About how many products hold a word, as it is written, in title, brand or categories."""
        if not self.vocabulary.count(word):
            return 0
        key = word.encode("utf-8", "replace")
        return sum(
            max(self._living(segment, numbers) for numbers in _filed(segment, key)) for segment in self.suggest.segments
        )

    def beginning_with(self, prefix: str, limit: int) -> list[str]:
        """Words of titles, brands and categories that begin so, those in most products first."""
        counts: Counter[bytes] = Counter()
        for segment in self.suggest.segments:
            counts.update(_beginning(segment, prefix.encode("utf-8", "replace")))
        words: list[str] = []
        for key, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
            # One of the full width may be the beginning of a longer word.
            if len(key) < WORD_BYTES and self.titles_with(word := key.decode()):
                words.append(word)
                if len(words) == limit:
                    break
        return words

    def _living(self, segment: Segment, numbers: Numbers) -> int:
        if len(numbers) > _FEW:
            return len(numbers)
        return int(np.count_nonzero(self.living.lives(segment.rows[numbers])))


class KnownWords:
    """The writer's side; one thread only. Taking over what is there already, or what is gone, changes nothing."""

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self._suggest = SuggestIndex()
        self._living = LivingRows.none()
        self._last_row = 0

    def follow(self, dead: Sequence[int], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what a write did; row keys grow with each."""
        new = [(row, item.entry) for row, item in added if row > self._last_row]
        if new:
            self._last_row = new[-1][0]
        for _, entry in new:
            for field in SURFACE_OF:
                self._vocabulary.add(entry.fields.get(field, "").split())
        suggestible = (suggestible_of(row, entry) for row, entry in new)
        self._suggest.add(segment_of([product for product in suggestible if product is not None]))
        self._living = self._living.after(dead, [row for row, _ in new])

    def view(self) -> WordsView:
        """What a reader sees from now on."""
        self._suggest.follow(self._living)
        return WordsView(self._vocabulary, self._suggest, self._living)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by name, to be saved."""
        counts = self._vocabulary.counts()
        return {
            "rows": self._living.rows,
            "alive": self._living.alive,
            "last_row": np.array(self._last_row),
            "words": np.frombuffer("\n".join(counts).encode("utf-8", "surrogatepass"), np.uint8),
            "counts": np.fromiter(counts.values(), np.int64, len(counts)),
            **{f"suggest:{name}": array for name, array in self._suggest.arrays().items()},
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> "KnownWords":
        """The words that gave `arrays`. Raises LookupError or ValueError where they are none."""
        known = cls()
        texts = arrays["words"].tobytes().decode("utf-8", "surrogatepass")
        for word, count in zip(texts.split("\n") if texts else (), arrays["counts"].tolist(), strict=True):
            known._vocabulary.add([word], count)
        suggest = {name.removeprefix("suggest:"): one for name, one in arrays.items() if name.startswith("suggest:")}
        known._suggest = SuggestIndex.restored(suggest)
        known._living = LivingRows(arrays["rows"], arrays["alive"])
        known._last_row = int(arrays["last_row"])
        return known

    def close(self) -> None:
        """Ends the thread that merges."""
        self._suggest.close()


def _filed(segment: Segment, word: bytes) -> Iterator[Numbers]:
    """Numbers of the products that hold a word in title or brand, and of those that hold it in a category."""
    yield segment.words.filed(*segment.words.exactly(word))
    yield _of_labels(segment, *segment.label_words.exactly(word))


def _of_labels(segment: Segment, start: int, end: int) -> Numbers:
    places = segment.label_words.filed(start, end).tolist()
    return np.unique(np.concatenate([np.empty(0, np.int32), *(segment.labels.filed(at, at + 1) for at in places)]))


def _beginning(segment: Segment, prefix: bytes) -> dict[bytes, int]:
    """How many products of the segment hold each word that begins so, in title or brand, or in a category."""
    start, end = segment.words.beginning(prefix)
    counts = dict(zip(segment.words.keys[start:end].tolist(), segment.words.counts(start, end).tolist(), strict=True))
    start, end = segment.label_words.beginning(prefix)
    for at in range(start, end):
        key = bytes(segment.label_words.keys[at])
        counts[key] = max(counts.get(key, 0), len(_of_labels(segment, at, at + 1)))
    return counts
