"""Words without their English endings, as the index keeps them."""

from functools import cache, lru_cache

import tantivy


# A shop's texts repeat their words.
@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """ "headphones" and "headphone" give "headphon"; a Chinese word stays as it is."""
    return "".join(_analyzer().analyze(word))


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return words.filter(tantivy.Filter.stemmer("english")).build()
