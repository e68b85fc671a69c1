"""Words as Milvus keeps them: folded by their stem, and spelled in plain letters and digits.

Milvus divides a text at whatever is neither letter nor digit, and each of its tokenizers does it a little differently;
words spelled like this come through all of them as they are, in every script.
"""

from collections.abc import Iterable

import tantivy

# A thread takes it by itself, and no call changes it.
_STEMS = (
    tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    .filter(tantivy.Filter.remove_long(80))
    .filter(tantivy.Filter.stemmer("english"))
    .build()
)


def tokens_of(words: Iterable[str]) -> list[str]:
    """The tokens of words of `services.retriever.words`, in their order."""
    return [stem if _is_plain(stem) else f"0x{stem.encode().hex()}" for stem in _STEMS.analyze(" ".join(words))]


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isalnum() and not word.startswith("0x")
