"""Query-product pairs from any catalogue, without a label: what shoppers could have typed to find each product.

Queries name the kind of thing, brand, model, attribute values, or take words from title and description; some then
change: slips of either script, part of a model number, another unit, the other language (by the bilingual lexicon, or
by a product that the shop sells in both). Each pair knows what its query wants, so that mined products that answer it
as well are not taken for negatives.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import rjieba

from training import shop_lexicon
from training.contrast_pairs import made_pairs
from training.product_facts import Facts, Wanted, product_facts, translated
from training.query_forms import Slips, model_form, sizes, unit_form
from training.shop_files import ShopItem
from training.shop_queries import title_window
from training.sources.catalogue import Catalogue
from training.sources.supervision import TrainingPair
from vitrine.product_text import EMBEDDING_DESCRIPTION_COLUMNS, EMBEDDING_TITLE_COLUMNS
from vitrine.text import normalize_text

_MAX_QUERY_CHARACTERS = 60
_SLIP, _UNIT, _MODEL_FORM, _OTHER_LANGUAGE, _NO_DESCRIPTION = 0.08, 0.4, 0.6, 0.15, 0.3
_SLIP_TEXTS = 20_000


@dataclass(frozen=True)
class LabelFreePair:
    """A pair and what its query wants."""

    pair: TrainingPair
    wanted: Wanted


def label_free_pairs(
    catalogue: Catalogue, count: int, seed: int, products: Callable[[str], bool] = lambda product_id: True
) -> Iterator[LabelFreePair]:
    """Up to `count` pairs of products drawn at random (again, when the shop is small), the same for the same seed.

    `products` chooses by id.
    """
    rng = random.Random(seed)
    slips = Slips(_texts(catalogue, rng))
    for _ in range(count):
        item = catalogue.item(rng.randrange(len(catalogue)))
        if not products(item.id):
            continue
        query, wanted = _query(catalogue, item, rng)
        if rng.random() < _UNIT:
            query = unit_form(query, rng)
        if rng.random() < _SLIP:
            query = slips.slip(query, rng)
        query = query[:_MAX_QUERY_CHARACTERS].strip()
        if len(query) < 2:
            continue
        columns = (EMBEDDING_TITLE_COLUMNS, 0 if rng.random() < _NO_DESCRIPTION else EMBEDDING_DESCRIPTION_COLUMNS)
        group = " ".join(sorted(wanted.heads)) or item.id
        yield LabelFreePair(TrainingPair(query, item.id, item.words(columns), 1.0, 1.0, (), group), wanted)


def lexicon_pairs(count: int, seed: int) -> Iterator[TrainingPair]:
    """Pairs of made products in both languages, a third across; each with a near miss as its negative."""
    for made in made_pairs(random.Random(seed), count):
        yield TrainingPair(made.query, "", made.document, 1.0, 1.0, (made.negative,), made.group)


def _texts(catalogue: Catalogue, rng: random.Random) -> Iterator[str]:
    for kind in shop_lexicon.product_types():
        yield from kind.chinese
    for _ in range(min(len(catalogue), _SLIP_TEXTS)):
        yield catalogue.item(rng.randrange(len(catalogue))).title


def _query(catalogue: Catalogue, item: ShopItem, rng: random.Random) -> tuple[str, Wanted]:
    """A query for the item and what it wants."""
    if rng.random() < _OTHER_LANGUAGE:
        if (twin := catalogue.twin(item)) is not None:
            return _twin_query(twin, rng), Wanted(product_facts(item).heads)
        if (other := _by_lexicon(item, product_facts(item), rng)) is not None:
            return other
    return _own_language(item, product_facts(item), rng)


def _own_language(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    makers = [(2, _window_of_title), (1, _window_of_summary)]
    if facts.head:
        makers += [(5, _kind), (3, _brand_and_kind)]
        makers += [(4, _value_and_kind), (2, _two_values_and_kind)] if facts.values else []
        makers += [(2, _size_and_kind)] if sizes(facts.title) else []
    if item.model:
        makers += [(2, _model), (2, _brand_and_model)]
    make = rng.choices([maker for _, maker in makers], weights=[weight for weight, _ in makers])[0]
    return make(item, facts, rng)


def _kind(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    return facts.head, Wanted(facts.heads)


def _brand_and_kind(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    brand = normalize_text(item.brand)
    return f"{brand}{_gap(item, rng)}{facts.head}", Wanted(facts.heads, (brand,) if brand else ())


def _value_and_kind(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    value = rng.choice(facts.values)
    first, second = (value, facts.head) if rng.random() < 0.6 else (facts.head, value)
    return f"{first}{_gap(item, rng)}{second}", Wanted(facts.heads, (value,))


def _two_values_and_kind(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    values = tuple(rng.sample(facts.values, k=min(2, len(facts.values))))
    return _gap(item, rng).join((*values, facts.head)), Wanted(facts.heads, values)


def _size_and_kind(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    size = rng.choice(sizes(facts.title))
    first, second = (size, facts.head) if rng.random() < 0.5 else (facts.head, size)
    return f"{first}{_gap(item, rng)}{second}", Wanted(facts.heads, (size,))


def _model(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    model = normalize_text(item.model)
    return model_form(model, rng) if rng.random() < _MODEL_FORM else model, Wanted(values=(model,))


def _brand_and_model(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    model, wanted = _model(item, facts, rng)
    end = f" {facts.head}" if facts.head and rng.random() < 0.3 else ""
    return f"{normalize_text(item.brand)} {model}{end}".strip(), wanted


def _window_of_title(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    return _window(facts.title, rng), Wanted()


def _window_of_summary(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted]:
    return _window(normalize_text(item.summary[:200]) or facts.title, rng), Wanted()


def _window(text: str, rng: random.Random) -> str:
    """Two to four words in a row."""
    if text.isascii():
        return title_window(text, rng)
    words = [word for word in rjieba.cut(text) if word.strip() and any(map(str.isalnum, word))]
    size = rng.randint(2, 4)
    start = rng.randint(0, max(0, len(words) - size))
    return "".join(words[start : start + size])


def _twin_query(twin: ShopItem, rng: random.Random) -> str:
    """What every version in the twin's language answers: its kind, with the brand at times, or its model."""
    facts = product_facts(twin)
    if not facts.head:
        return normalize_text(twin.title)
    makers = [_kind, _brand_and_kind, *([_brand_and_model] if twin.model else [])]
    return rng.choice(makers)(twin, facts, rng)[0]


def _by_lexicon(item: ShopItem, facts: Facts, rng: random.Random) -> tuple[str, Wanted] | None:
    """Kind, and at times brand or a value, in the other language; None when the lexicon lacks the kind."""
    kind = translated(facts.head, item.language) if facts.head else ""
    if not kind:
        return None
    known = [(other, value) for value in facts.values if (other := translated(value, item.language))]
    brand = translated(normalize_text(item.brand), item.language)
    words, wanted = [kind], []
    if known and rng.random() < 0.6:
        other, value = rng.choice(known)
        words.insert(0, other)
        wanted.append(value)
    if brand and rng.random() < 0.4:
        words.insert(0, brand)
        wanted.append(normalize_text(item.brand))
    return " ".join(words), Wanted(facts.heads, tuple(wanted))


def _gap(item: ShopItem, rng: random.Random) -> str:
    return "" if item.language == "zh" and rng.random() < 0.5 else " "
