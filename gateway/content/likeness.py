"""Likeness of two texts, for near-duplicates: the words and pairs of words that they share."""

import zlib
from functools import lru_cache
from itertools import pairwise

from gateway.content.words import words_of

# From here on two texts say the same: one word of ten was changed, or one sentence of four added.
ALIKE = 0.65
_BITS = 2_048


@lru_cache(maxsize=8_192)
def sketch_of(text: str) -> int:
    """The text's words and pairs of neighbours as bits of an integer: two of them compare in a microsecond."""
    words = words_of(text)
    sketch = 0
    for shingle in (*words, *map(" ".join, pairwise(words))):
        sketch |= 1 << zlib.crc32(shingle.encode()) % _BITS
    return sketch


def likeness(first: int, second: int) -> float:
    """Shared bits over all bits of two sketches, in [0, 1]: Jaccard's coefficient of the shingles (Broder 1997)."""
    union = (first | second).bit_count()
    return (first & second).bit_count() / union if union else 1.0
