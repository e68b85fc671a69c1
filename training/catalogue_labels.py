"""What a catalogue alone says of relevance: queries made from its products, and what titles and attributes correct.

A similarity takes a laptop's bag for a laptop and a blue shirt for a red one. Product types, brands, models and
attribute values that a query names tell them apart, without a label.
"""

import random
import re
from collections.abc import Iterable
from functools import lru_cache

import rjieba

from training.ranker_lists import title_corrected
from training.shop_files import ShopItem
from training.shop_queries import head_noun, is_accessory, item_queries
from vitrine.text import normalize_text

_OTHER_BRAND, _OTHER_MODEL, _OTHER_VALUE = 0.2, 0.15, 0.15
_MOST_VALUES = 2  # clashes that count
_WORD_EDGE = r"(?<![a-z0-9]){}(?![a-z0-9])"


def made_queries(items: Iterable[ShopItem], count: int, rng: random.Random) -> list[tuple[str, ShopItem]]:
    """Up to `count` queries, each with the product that it was made from; the products are drawn from a stream."""
    drawn: list[ShopItem] = []
    for number, item in enumerate(items):
        if len(drawn) < count:
            drawn.append(item)
        elif (place := rng.randrange(number + 1)) < count:
            drawn[place] = item
    rng.shuffle(drawn)
    # A small shop's products are each asked for in several ways.
    rounds = -(-count // max(1, len(drawn)))
    made = {query: item for item in drawn for query in item_queries(item, rng, rounds)}
    return list(made.items())[:count]


def correction(query: str, source: ShopItem, candidate: ShopItem) -> float:
    """What to add to the candidate's likeness to a query that was made from `source`; about -0.7 to 0.3."""
    kinds = [kind for kind in _kinds(source) if _names(query, kind)]
    same_kind = None
    if kinds:
        title = normalize_text(candidate.title)
        same_kind = normalize_text(source.kind) == normalize_text(candidate.kind) != "" or bool(
            set(kinds) & set(_kinds(candidate))
        )
        if not same_kind and not candidate.kind and any(kind in title for kind in kinds):
            same_kind = None  # the title has the word, and nothing says what the product is
    unwanted_accessory = is_accessory(candidate) and not is_accessory(source)
    return title_corrected(_clashes(query, source, candidate), same_kind, unwanted_accessory, candidate.id == source.id)


def _clashes(query: str, source: ShopItem, candidate: ShopItem) -> float:
    """What it costs that the candidate has another brand, model or value than the one that the query names."""
    title, cost = normalize_text(candidate.title), 0.0
    if _names(query, brand := normalize_text(source.brand)) and brand != normalize_text(candidate.brand):
        cost -= _OTHER_BRAND
    if _names(query, model := normalize_text(source.model)) and not _names(title, model):
        cost -= _OTHER_MODEL
    clashes = 0
    for name, value in source.attributes.items():
        other, own = normalize_text(candidate.attributes.get(name, "")), normalize_text(value)
        clashes += bool(other) and other != own and _names(query, own) and not _names(title, own)
    return cost - _OTHER_VALUE * min(clashes, _MOST_VALUES)


@lru_cache(maxsize=8_192)
def _kinds_of(title: str, kind: str, head: str, chinese: bool) -> tuple[str, ...]:
    last = head.split(" ")[-1]
    if chinese:
        words = [word for word in rjieba.cut(title) if len(word.strip()) > 1]
        last = words[-1] if words else ""
    return tuple(dict.fromkeys(word for word in (kind, last) if len(word) > 1))


def _kinds(item: ShopItem) -> tuple[str, ...]:
    """Words for what the product is: its type, and its title's head noun (in Chinese the title's last word)."""
    chinese = item.language == "zh"
    return _kinds_of(normalize_text(item.title), normalize_text(item.kind), "" if chinese else head_noun(item), chinese)


def _names(text: str, word: str) -> bool:
    """Whether a normalised text has the word, whole where words are spaced."""
    if len(word) < 2 or word not in text:
        return False
    return not word.isascii() or re.search(_WORD_EDGE.format(re.escape(word)), text) is not None
