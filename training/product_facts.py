"""What a product is, in words that queries use: kind of thing, attribute values; whether it answers a query."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import rjieba

from training import shop_lexicon
from training.shop_files import ShopItem
from training.shop_queries import head_noun
from vitrine.text import normalize_text

_PLAIN = re.compile(r"[\d.,x/ -]*|yes|no|original|other|n/a|none")
_MAX_VALUE_CHARACTERS = 24
_OTHER = {"zh": "en", "en": "zh"}


@dataclass(frozen=True)
class Facts:
    """Normalised. `heads`: the last words of what it is called; `values`: attribute values told in its texts."""

    head: str
    heads: frozenset[str]
    values: tuple[str, ...]
    text: str  # all that a query may name
    title: str


def product_facts(item: ShopItem) -> Facts:
    """The item's facts; `head` is "" when nothing says plainly what it is."""
    title, kind = normalize_text(item.title), normalize_text(item.kind)
    # What follows a comma is no longer the name of the thing.
    noun = head_noun(replace(item, title=item.title.split(",")[0])) if item.language == "en" else ""
    head = kind if kind and (item.language == "zh" or kind in title or not noun) else noun
    text = f"{title} {normalize_text(item.brand)} {normalize_text(item.model)} {kind} {normalize_text(item.summary)}"
    values = []
    for value in (part for joined in item.attributes.values() for part in normalize_text(joined).split(", ")):
        if 1 < len(value) <= _MAX_VALUE_CHARACTERS and not _PLAIN.fullmatch(value) and value in text and value != head:
            values.append(value)
    heads = frozenset(_last_word(name) for name in (kind, noun) if name)
    return Facts(head, heads, tuple(dict.fromkeys(values)), text, title)


@lru_cache(maxsize=65_536)
def _last_word(name: str) -> str:
    return str(rjieba.cut(name)[-1]) if not name.isascii() else name.split(" ")[-1]


@dataclass(frozen=True)
class Wanted:
    """What a query asks for, when it is known: a product answers that is of `heads` and whose texts hold all `values`.

    Without heads any kind of product may answer; without both nobody can tell.
    """

    heads: frozenset[str] = frozenset()
    values: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.heads or self.values)

    def answered_by(self, facts: Facts) -> bool:
        return (not self.heads or bool(self.heads & facts.heads)) and all(value in facts.text for value in self.values)

    def only_mentioned_by(self, facts: Facts) -> bool:
        """Whether the title names the kind of thing but is another: a laptop bag, a case for a phone."""
        return bool(facts.heads) and not self.heads & facts.heads and any(head in facts.title for head in self.heads)


@lru_cache(maxsize=1)
def _dictionaries() -> dict[str, dict[str, str]]:
    """Words of each language with their first name in the other, by the bilingual lexicon."""
    pairs = [(name, kind.english[0]) for kind in shop_lexicon.product_types() for name in reversed(kind.chinese)]
    back = [(name, kind.chinese[0]) for kind in shop_lexicon.product_types() for name in reversed(kind.english)]
    for term in (*shop_lexicon.attribute_terms(), *shop_lexicon.brand_terms()):
        pairs.append((term.chinese, term.english))
        back.append((term.english, term.chinese))
    return {
        source: {normalize_text(one): normalize_text(other) for one, other in words}
        for source, words in (("zh", pairs), ("en", back))
    }


def translated(word: str, language: str) -> str:
    """The word in the other language, by the lexicon, of a longer name its last words; "" when unknown."""
    words = _dictionaries()[language]
    if language == "zh":
        return next((words[word[at:]] for at in range(len(word) - 1) if word[at:] in words), "")
    parts = word.split(" ")
    names = (" ".join(parts[at:]) for at in range(len(parts)))
    return next((words[name] for name in names if name in words), "")
