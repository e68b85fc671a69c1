"""Sentences of product descriptions: the plain language that reviews and guides are written in, too."""

import random
import re
from pathlib import Path

from training.shop_files import read_lines
from vitrine.text import normalize_text

_HEADING = re.compile(r"^#.*$", re.MULTILINE)
_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_FEWEST, _MOST = 3, 40  # words
_WINDOW = 6  # words at most


def description_sentences(data_dir: Path) -> list[str]:
    """Those of the Vespa shop's descriptions, without headings; normalised, each once.

    Raises TrainingError as `read_lines` does.
    """
    found: dict[str, None] = {}
    for row in read_lines(data_dir / "vespa_products" / "products.jsonl.gz"):
        for sentence in _END.split(_HEADING.sub("", row.get("description") or "")):
            text = normalize_text(sentence)
            if _FEWEST <= text.count(" ") + 1 <= _MOST:
                found[text] = None
    return list(found)


def word_window(sentence: str, rng: random.Random) -> str:
    """One to six words in a row of it."""
    words = sentence.split(" ")
    count = rng.randint(1, min(_WINDOW, len(words)))
    start = rng.randint(0, len(words) - count)
    return " ".join(words[start : start + count])
