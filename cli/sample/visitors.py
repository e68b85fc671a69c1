"""The sample shop's visitors: who they are and what they like."""

import math
from dataclasses import dataclass

from cli.sample.draw import Draw
from cli.sample.lexicon import LANGUAGES, Language, ProductType, Text
from cli.sample.products import Facts, Shop


@dataclass(frozen=True, slots=True)
class Visitor:
    """A shopper's tastes: types from best loved on, makers, colours (English word), and a price level in [0, 1)."""

    id: str
    language: Language
    types: tuple[ProductType, ...]
    brands: tuple[Text, ...]
    color: Text
    price_level: float

    def liking(self, facts: Facts) -> float:
        """How much the visitor likes a product, about -1 to 3.5: brand, colour, price and quality."""
        low, high = facts.type.price
        position = math.log(facts.price_cny / low) / math.log(high / low)
        liked = facts.quality + 0.5 - 1.5 * abs(position - self.price_level)
        if facts.brand in self.brands:
            liked += 1.0
        if any(values.name == "color" and said == self.color.en for values, said in facts.said_values("en")):
            liked += 0.8
        return liked

    def profile(self) -> str:
        """The tastes in a sentence of the visitor's language."""
        brands = [brand.said(self.language) for brand in self.brands]
        types = [kind.synonyms(self.language)[0] for kind in self.types]
        if self.language == "zh":
            return f"喜欢{'、'.join(types)}，偏爱{'、'.join(brands)}，常选{self.color.zh}"
        return f"Likes {', '.join(types)}; prefers {', '.join(brands)}; mostly picks {self.color.en}"


class Visitors:
    """The shop's visitors, `count` of them; visitor n is the same for a seed while the shop offers the same types."""

    def __init__(self, shop: Shop) -> None:
        self.count = max(1, shop.products // 5)
        self._seed = shop.seed
        self._offered = shop.offered
        colors = {
            said.en: said for kind in shop.types.values() for v in kind.values if v.name == "color" for said in v.words
        }
        self._colors = tuple(colors.values())

    def visitor(self, number: int) -> Visitor:
        """Visitor `number`."""
        draw = Draw(self._seed, "visitor", number)
        types = tuple(self._offered[position] for position in draw.some(3, len(self._offered)))
        brands = tuple(dict.fromkeys(draw.one(kind.brands) for kind in types))
        return Visitor(
            id=f"V{number + 1:07d}",
            language=LANGUAGES[number % len(LANGUAGES)],
            types=tuple(draw.shuffled(types)),
            brands=brands,
            color=draw.one(self._colors),
            price_level=draw.fraction(),
        )
