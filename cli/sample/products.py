"""The sample shop's products: facts that hold in any language, and the product that tells them in one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cli.sample.draw import Draw
from cli.sample.lexicon import LANGUAGES, Language, Lexicon, ProductType, Text, Values, load_lexicon
from vitrine.product import Availability, Product

CLOCK_START = datetime(2026, 1, 1, tzinfo=UTC)
_SUFFIXES = ("", "", "", " Pro", " Max", " SE", " Plus", " Lite", " Air", " Mini")
_EUR, _USD = 7.8, 7.2


def timestamp(time: datetime) -> str:
    """RFC 3339 text of a UTC time, in whole seconds."""
    return f"{time.isoformat()[:19]}Z"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a product is, whatever the language: judgements and shoppers' choices follow from these.

    `values` are positions in the type's value lists, `features` positions in its feature list; `price_cny` is
    what it would cost in CNY; `quality` in (0, 1) moves ratings and sales; `naming` in [0, 1) picks a synonym.
    """

    index: int
    type: ProductType
    language: Language
    brand: Text
    model: str
    values: tuple[int, ...]
    features: tuple[int, ...]
    price_cny: float
    quality: float
    naming: float
    host: "Facts | None" = None

    @property
    def id(self) -> str:
        """The product's id in the shop."""
        return f"P{self.index + 1:07d}"

    def said_values(self, language: Language) -> Iterator[tuple[Values, str]]:
        """Each value list of the type and what this product has of it, in words."""
        for values, position in zip(self.type.values, self.values, strict=True):
            yield values, values.words[position].said(language)


class Shop:
    """A shop of `products` products: product i is the same for a seed however many there are.

    Types come in rounds; in each round every type has its share of places, and the languages take turns.
    """

    def __init__(self, products: int, seed: int, lexicon: Lexicon | None = None) -> None:
        self.products = products
        self.seed = seed
        self.types = (lexicon or load_lexicon()).types
        places = [kind for kind in self.types.values() for _ in range(kind.weight)]
        self._round = Draw(seed, "places").shuffled(places)
        self._places: dict[str, list[int]] = {key: [] for key in self.types}
        for place, kind in enumerate(self._round):
            self._places[kind.key].append(place)
        # A type's places of one round have both languages, and in the next round the other one.
        self._turns = [0] * len(self._round)
        for first, of_type in enumerate(self._places.values()):
            for number, place in enumerate(of_type):
                self._turns[place] = first + number
        self.offered = tuple(kind for kind in self.types.values() if self.count(kind))

    def count(self, kind: ProductType) -> int:
        """How many products of a type the shop has."""
        rounds, rest = divmod(self.products, len(self._round))
        places = self._places[kind.key]
        return rounds * len(places) + sum(place < rest for place in places)

    def index_of(self, kind: ProductType, number: int) -> int:
        """The index of a type's product number `number`, counted from 0 in the shop's order."""
        places = self._places[kind.key]
        turn, place = divmod(number, len(places))
        return turn * len(self._round) + places[place]

    def language_of(self, index: int) -> Language:
        """The language that product `index` is sold in."""
        turn, place = divmod(index, len(self._round))
        return LANGUAGES[(turn + self._turns[place]) % 2]

    def facts(self, index: int) -> Facts:
        """What product `index` is."""
        kind = self._round[index % len(self._round)]
        draw = Draw(self.seed, "facts", index)
        brand = kind.brands[draw.skewed(len(kind.brands), 1.5)]
        host = None
        if kind.host:
            # Among the products up to this round, so that the shop may grow without changing this one.
            hosts = self._places[kind.host]
            upto = len(hosts) * (index // len(self._round) + 1)
            host = self.facts(self.index_of(self.types[kind.host], draw.below(upto)))
        features = tuple(draw.some(1 if kind.exclusive else 1 + draw.below(3), len(kind.features)))
        low, high = kind.price
        return Facts(
            index=index,
            type=kind,
            language=self.language_of(index),
            brand=brand,
            model=_model(kind, draw),
            values=tuple(draw.below(len(values.words)) for values in kind.values),
            features=features,
            price_cny=draw.between(low, high),
            quality=(draw.fraction() + draw.fraction() + draw.fraction()) / 3,
            naming=draw.fraction() ** 2,
            host=host,
        )

    def product(self, index: int) -> Product:
        """Product `index` as the shop shows it."""
        return told_product(self.facts(index), Draw(self.seed, "shown", index))


def _model(kind: ProductType, draw: Draw) -> str:
    if not kind.model:
        return ""
    number = 1 + draw.below(9) if draw.chance(0.5) else 10 * (1 + draw.below(99))
    return f"{kind.model}{number}{draw.one(_SUFFIXES)}"


def told_product(facts: Facts, draw: Draw) -> Product:
    """The product in its own language: title, description, category, local price and attributes."""
    language = facts.language
    price, original, currency = _price(facts, draw)
    return Product(
        id=facts.id,
        title=title(facts),
        brand=facts.brand.said(language),
        categories=(facts.type.category_path(language),),
        description=description(facts),
        price=price,
        original_price=original,
        currency_code=currency,
        availability=_availability(draw),
        attributes=_attributes(facts),
        image_uris=(f"https://shop.example/images/{facts.id}.jpg",),
        language=language,
        update_time=CLOCK_START - timedelta(minutes=draw.below(500_000)),
    )


def _price(facts: Facts, draw: Draw) -> tuple[float, float | None, str]:
    if facts.language == "zh":
        currency, price = "CNY", round(facts.price_cny) - (0.1 if facts.price_cny < 200 else 0)
    elif draw.chance(0.5):
        currency, price = "EUR", int(facts.price_cny / _EUR) + 0.99
    else:
        currency, price = "USD", int(facts.price_cny / _USD) + 0.99
    original = round(price * (1.1 + draw.below(5) / 10), 2) if draw.chance(0.3) else None
    return round(price, 2), original, currency


def _availability(draw: Draw) -> Availability:
    drawn = draw.fraction()
    if drawn < 0.9:
        return Availability.IN_STOCK
    return Availability.OUT_OF_STOCK if drawn < 0.97 else Availability.PREORDER


def _attributes(facts: Facts) -> dict[str, tuple[str, ...] | tuple[float, ...]]:
    language, kind = facts.language, facts.type
    attributes: dict[str, tuple[str, ...] | tuple[float, ...]] = {"product_type": (kind.synonyms(language)[0],)}
    if facts.model:
        attributes["model"] = (facts.model,)
    for values, position in zip(kind.values, facts.values, strict=True):
        attributes[values.name] = (
            (values.numbers[position],) if values.numbers else (values.words[position].said(language),)
        )
    attributes["feature"] = tuple(kind.features[position].said(language) for position in facts.features)
    if facts.host is not None:
        attributes["compatible_with"] = (named(facts.host, language),)
    return attributes


def named(facts: Facts, language: Language) -> str:
    """Brand and model, or brand and type where there is no model: what an accessory says it is for."""
    name = facts.model or facts.type.synonyms(language)[0]
    return f"{facts.brand.said(language)} {name}"


def title(facts: Facts) -> str:
    """A title as shops of the language write it."""
    language, kind = facts.language, facts.type
    synonyms = kind.synonyms(language)
    name = synonyms[int(facts.naming * len(synonyms))]
    details = [said for _, said in facts.said_values(language)]
    features = [kind.features[position].said(language) for position in facts.features]
    brand = facts.brand.said(language)
    if language == "zh":
        target = "" if facts.host is None else f"适用{named(facts.host, language)} "
        return " ".join(part for part in (brand, facts.model, f"{target}{name}", *features, *details) if part)
    target = "" if facts.host is None else f" for {named(facts.host, language)}"
    head = " ".join(part for part in (brand, facts.model, name) if part)
    return ", ".join((head + target, *map(_capitalized, features), *details))


def _capitalized(words: str) -> str:
    return words[0].upper() + words[1:] if words[:2].islower() else words


def description(facts: Facts) -> str:
    """Two or three plain sentences that repeat the facts."""
    language, kind = facts.language, facts.type
    name = kind.synonyms(language)[0]
    features = [kind.features[position].said(language) for position in facts.features]
    details = [said for _, said in facts.said_values(language)]
    if language == "zh":
        text = f"{facts.brand.zh}{facts.model and ' ' + facts.model + ' '}{name}，{'、'.join(features)}。"
        if details:
            text += f"规格：{'，'.join(details)}。"
        return text + (f"适用于{named(facts.host, language)}。" if facts.host is not None else "")
    text = f"{name[0].upper()}{name[1:]} by {facts.brand.en} with {' and '.join(features)}."
    if details:
        text += f" Specifications: {', '.join(details)}."
    return text + (f" Fits {named(facts.host, language)}." if facts.host is not None else "")
