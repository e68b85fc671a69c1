"""Queries made from catalogues, without labels: what shoppers could have typed to find a product.

The head noun of a title is what the product is: in Icecat's titles the words after brand and model and before the first
attribute value or number.
"""

import random
import re

import rjieba

from training.shop_files import ShopItem
from vitrine.text import normalize_text

_WORD = re.compile(r"[^\s,;()\[\]\"/|]+")
_NO_VALUE = re.compile(r"[\d.]+|yes|no|original")
_JOINS = frozenset(("with", "for", "and", "in", "on", "of", "the", "to", "by", "&"))
_NOT_HEADS = frozenset(
    ("black", "white", "grey", "gray", "silver", "original", "compatible", "cyan", "magenta", "yellow", "sheets")
)
_FOR = re.compile(r"\b(?:for|compatible with|fits)\b", re.IGNORECASE)
Units = tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]
_UNITS: Units = (
    (re.compile(r"(\d+(?:\.\d+)?) ?(?:\"|''|”)"), ("{0} inch", '{0}"', "{0}in", "{0}-inch", "{0}寸")),
    (re.compile(r"\b(\d+) ?gb\b"), ("{0} gb", "{0}gb", "{0}g")),
    (re.compile(r"\b(\d+) ?tb\b"), ("{0} tb", "{0}tb", "{0}t")),
)


def head_noun(item: ShopItem) -> str:
    """What the product is, normalised; "" when the title does not say it plainly."""
    title = normalize_text(item.title)
    for prefix in (normalize_text(item.brand), normalize_text(item.model)):
        if prefix:
            title = title.replace(prefix, " ", 1)
    values = {normalize_text(value) for value in item.attributes.values()}
    head: list[str] = []
    for word in _WORD.findall(title):
        if word in _JOINS:
            break
        if any(character.isdigit() for character in word) or (head and word in values) or word in _NOT_HEADS:
            if head:
                break
            continue
        head.append(word)
        if len(head) == 4:
            break
    return " ".join(head) if head and any(len(word) > 2 for word in head) else ""


def is_accessory(item: ShopItem) -> bool:
    """Whether the title says that the product is for another."""
    return bool(_FOR.search(item.title))


def made_for(query: str, title: str) -> bool:
    """Whether the title names the query's last word only as what the product is for; both normalised."""
    found = _FOR.search(title)
    if found is None or _FOR.search(query):
        return False
    wanted = query.split(" ")[-1]
    return wanted in title[found.end() :].split(" ") and wanted not in title[: found.start()].split(" ")


def item_queries(item: ShopItem, rng: random.Random, count: int) -> list[str]:
    """Up to `count` different queries for the item, normalised."""
    makers = {"zh": _chinese, "en": _electronics if item.model else _english}
    made = {normalize_text(makers[item.language](item, rng)) for _ in range(count * 2)}
    return sorted(query for query in made if 1 < len(query) <= 60)[:count]


def with_typo(query: str, rng: random.Random) -> str:
    """One slip of the fingers in a word of five letters or more: swapped, dropped or doubled letters."""
    words = query.split(" ")
    long = [index for index, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    if not long:
        return query
    at = rng.choice(long)
    word = words[at]
    place = rng.randint(1, len(word) - 3)
    slips = (
        word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        word[:place] + word[place + 1 :],
        word[:place] + word[place] + word[place:],
    )
    words[at] = rng.choice(slips)
    return " ".join(words)


def with_other_unit(query: str, rng: random.Random, units: Units = _UNITS) -> str:
    """The same size in another form: 17", 17 inch, 17寸; 500gb, 500 gb. `units`: what is a size, and its forms."""
    for pattern, forms in units:
        if match := pattern.search(query):
            return query[: match.start()] + rng.choice(forms).format(match.group(1)) + query[match.end() :]
    return query


def _electronics(item: ShopItem, rng: random.Random) -> str:
    brand, model = normalize_text(item.brand), normalize_text(item.model)
    head = head_noun(item) or normalize_text(item.kind) or brand
    short_head = " ".join(head.split(" ")[-rng.randint(1, 2) :])
    values = [
        v for v in map(normalize_text, item.attributes.values()) if 2 <= len(v) <= 20 and not _NO_VALUE.fullmatch(v)
    ]
    value = rng.choice(values) if values else ""
    models = model.split(" ")
    query = rng.choices(
        (
            head,
            short_head,
            f"{brand} {short_head}",
            f"{brand} {head}",
            f"{value} {head}",
            f"{short_head} {value}",
            f"{brand} {' '.join(models[: rng.randint(1, 2)])}",
            model,
            rng.choice(models),
            f"{brand} {model} {short_head}",
            title_window(normalize_text(item.title), rng),
            title_window(normalize_text(item.summary or item.title), rng),
        ),
        weights=(4, 4, 4, 2, 3, 3, 2, 1, 1, 1, 2, 2),
    )[0].strip()
    query = with_other_unit(query, rng)
    return with_typo(query, rng) if rng.random() < 0.06 else query


def _english(item: ShopItem, rng: random.Random) -> str:
    first = re.split(r"[|,:;(]| - ", normalize_text(item.title))[0]
    query = rng.choice(
        (first, title_window(first, rng), title_window(first, rng), title_window(normalize_text(item.title), rng))
    )
    return with_typo(query, rng) if rng.random() < 0.06 else query


def title_window(text: str, rng: random.Random) -> str:
    """Two to four words in a row of a spaced text."""
    words = _WORD.findall(text)
    size = rng.randint(2, 4)
    start = rng.randint(0, max(0, len(words) - size))
    return " ".join(words[start : start + size])


def _chinese(item: ShopItem, rng: random.Random) -> str:
    words = [word for word in rjieba.cut(item.title) if word.strip()]
    tail = "".join(words[-rng.randint(1, 2) :])
    value = rng.choice([*item.attributes.values(), ""])[:8]
    return rng.choice((tail, tail, value + tail, item.brand + tail, item.kind, "".join(words), words[0] + tail))
