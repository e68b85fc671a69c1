"""Products made from a bilingual word list, so that Chinese and English shop language can be taught without a label.

`lexicon/*.tsv` name product types, brands and attributes in both languages, and which type is an accessory of which. A
made product knows what it is, so what matches a query, and how well, follows from its attributes.
"""

import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class ProductType:
    """A kind of product with its names, best first; `host`: the Chinese name of what it is an accessory of, or ""."""

    department: str
    chinese: tuple[str, ...]
    english: tuple[str, ...]
    host: str


@dataclass(frozen=True)
class Term:
    """A brand or attribute value in both languages; `kind`: brand, colour, material, audience, season, ..."""

    kind: str
    departments: frozenset[str]
    chinese: str
    english: str

    def fits(self, department: str) -> bool:
        return department in self.departments or "*" in self.departments


@dataclass(frozen=True)
class MadeProduct:
    """One made product: its type, brand (for an accessory, the brand that it fits) and attribute values."""

    type: ProductType
    brand: Term | None
    attributes: tuple[Term, ...]


@cache
def product_types() -> tuple[ProductType, ...]:
    rows = _rows("products.tsv")
    return tuple(ProductType(d, tuple(zh.split("/")), tuple(en.split("/")), host) for d, zh, en, host in rows)


@cache
def attribute_terms() -> tuple[Term, ...]:
    return tuple(Term(kind, frozenset(d.split(",")), zh, en) for kind, d, zh, en in _rows("attributes.tsv"))


@cache
def brand_terms() -> tuple[Term, ...]:
    return tuple(Term("brand", frozenset(d.split(",")), zh, en) for d, zh, en in _rows("brands.tsv"))


@cache
def host_type(accessory: ProductType) -> ProductType | None:
    """The type that an accessory goes with, when the word list has it."""
    return next((kind for kind in product_types() if accessory.host in kind.chinese), None) if accessory.host else None


def make_product(rng: random.Random, kind: ProductType | None = None) -> MadeProduct:
    """A product of a random type (or of `kind`), with zero to four attributes of different kinds and often a brand."""
    kind = kind or rng.choice(product_types())
    brands = [brand for brand in brand_terms() if brand.fits(kind.department)]
    brand = rng.choice(brands) if brands and rng.random() < 0.6 else None
    attributes: dict[str, Term] = {}
    fitting = [term for term in attribute_terms() if term.fits(kind.department)]
    for term in rng.sample(fitting, k=min(len(fitting), rng.randint(0, 6))):
        if term.kind != "colour" or kind.department != "food":
            attributes.setdefault(term.kind, term)
    return MadeProduct(kind, brand, tuple(attributes.values())[:4])


def title(product: MadeProduct, language: str, rng: random.Random) -> str:
    """A shop title in "zh" or "en", worded as such shops word them."""
    return _chinese_title(product, rng) if language == "zh" else _english_title(product, rng)


def query(product: MadeProduct, language: str, rng: random.Random) -> tuple[str, tuple[Term, ...], bool]:
    """A shopper's words for the product, the attributes they name, and whether they name its brand."""
    names = product.type.chinese if language == "zh" else product.type.english
    name = names[0] if rng.random() < 0.55 else rng.choice(names)
    named = tuple(rng.sample(product.attributes, k=min(len(product.attributes), rng.choice((0, 0, 1, 1, 1, 2)))))
    with_brand = product.brand is not None and rng.random() < 0.3
    words = [_word(term, language) for term in named]
    if with_brand and product.brand:
        words.insert(0, _word(product.brand, language))
    if language == "zh":
        words.insert(len(words) if rng.random() < 0.75 else 0, name)
        return ("" if rng.random() < 0.6 else " ").join(words), named, with_brand
    for_last = [word for word in words if word.startswith(("for ", "with "))]
    return " ".join([*(w for w in words if w not in for_last), name, *for_last]), named, with_brand


def _word(term: Term, language: str) -> str:
    return term.chinese if language == "zh" else term.english


def _chinese_title(product: MadeProduct, rng: random.Random) -> str:
    kind = product.type
    words = [term.chinese for term in product.attributes]
    rng.shuffle(words)
    head = list(kind.chinese) if rng.random() < 0.5 else [rng.choice(kind.chinese)]
    rng.shuffle(head)
    cut = rng.randint(0, len(words))
    parts = [*words[:cut], *head[:1], *words[cut:], *head[1:]]
    if product.brand and kind.host:
        parts.insert(0, rng.choice(("适用于", "适用", "")) + product.brand.chinese + kind.host)
    elif product.brand:
        both = f"{product.brand.english}/{product.brand.chinese}"
        parts.insert(0, both if rng.random() < 0.3 else product.brand.chinese)
    if rng.random() < 0.4:
        parts.insert(
            rng.randint(0, 1), rng.choice(("2023新款", "新款", "正品", "包邮", "官方旗舰店", "高端", "网红", "爆款"))
        )
    return (" " if rng.random() < 0.35 else "").join(part for part in parts if part)


def _english_title(product: MadeProduct, rng: random.Random) -> str:
    kind = product.type
    words = [term.english for term in product.attributes if not term.english.startswith(("for ", "with "))]
    tail = [term.english for term in product.attributes if term.english.startswith(("for ", "with "))]
    model = "".join(rng.choices("abcdefghklmnprstvx", k=rng.randint(1, 2))) + str(rng.randint(10, 9999))
    cut = rng.randint(0, len(words))
    parts = [*words[:cut], rng.choice(kind.english), *tail, *words[cut:]]
    host = host_type(kind)
    if product.brand and host:
        parts.append(f"{rng.choice(('for', 'compatible with', 'fits'))} {product.brand.english} {host.english[0]}")
    elif product.brand:
        parts.insert(0, product.brand.english + (f" {model}" if rng.random() < 0.5 else ""))
    return " ".join(parts)


def _rows(name: str) -> list[list[str]]:
    text = files("training").joinpath("lexicon", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
