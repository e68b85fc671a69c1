"""Quality of a review or guide, by what can be counted of its text: how much it says, and how plainly."""

import math
import re
from functools import lru_cache
from itertools import pairwise

from gateway.content.words import is_han, words_of

# What is worth showing last of all is still worth showing before nothing.
LEAST = 0.02
# Different words after which about two thirds of what can be said is said; a Han character says less than a word.
_INFORMATIVE_WORDS = 6.0
_CHARACTERS_OF_A_WORD = 1.7
# Letters and digits among what is not white space: more are in any sentence.
_LETTERS = 0.7
_CASED_LETTERS, _SHOUTED, _SHOUTING = 12, 0.6, 0.5
# An address or a number to call: the text wants something of its reader.
_CONTACT = re.compile(r"https?://|www\.|\S@\S|\d{6,}", re.IGNORECASE)
_ADVERTISING = 0.2
_RUN = re.compile(r"(.)\1{3,}")


@lru_cache(maxsize=8_192)
def quality_of(text: str) -> float:
    """Quality in [LEAST, 1]: information x variety x written plainly.

    "漂亮" and "5 stars" have 0.18 and 0.28; a sentence or two has more than 0.8.
    """
    words = words_of(text)
    shown = [character for character in text if not character.isspace()]
    if not words or not shown:
        return LEAST
    factors = (
        _information(words),
        _variety(words),
        min(1.0, sum(map(str.isalnum, shown)) / len(shown) / _LETTERS),
        1.0 - sum(len(run.group()) for run in _RUN.finditer(text)) / len(text),
        _SHOUTING if _shouts(text) else 1.0,
        _ADVERTISING if _CONTACT.search(text) else 1.0,
    )
    return max(LEAST, math.prod(factors))


def _information(words: tuple[str, ...]) -> float:
    different = set(words)
    characters = sum(map(is_han, different))
    count = characters / _CHARACTERS_OF_A_WORD + len(different) - characters
    return 1.0 - math.exp(-count / _INFORMATIVE_WORDS)


def _variety(words: tuple[str, ...]) -> float:
    """Different pairs of neighbours among all: 1 for a text that never repeats itself."""
    pairs = list(pairwise(words))
    return len(set(pairs)) / len(pairs) if pairs else 1.0


def _shouts(text: str) -> bool:
    cased = [character for character in text if character.isupper() or character.islower()]
    return len(cased) >= _CASED_LETTERS and sum(map(str.isupper, cased)) > _SHOUTED * len(cased)
