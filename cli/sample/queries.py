"""What shoppers type, and how well a product answers it, by its attributes."""

from dataclasses import dataclass
from typing import Literal

from cli.sample.draw import Draw
from cli.sample.lexicon import Language, ProductType
from cli.sample.products import Facts, named


@dataclass(frozen=True, slots=True)
class Want:
    """One thing asked for besides the type: a brand, model, feature, value, or the product to go with."""

    kind: Literal["brand", "model", "feature", "value", "host"]
    name: str
    said: str

    def is_met(self, facts: Facts) -> bool:
        """Whether a product of the type has it; compared in English, which every fact has."""
        if self.kind == "brand":
            return facts.brand.en == self.said
        if self.kind == "model":
            return facts.model == self.said
        if self.kind == "feature":
            return any(facts.type.features[position].en == self.said for position in facts.features)
        if self.kind == "host":
            return facts.host is not None and named(facts.host, "en") == self.said
        return any(values.name == self.name and said == self.said for values, said in facts.said_values("en"))


@dataclass(frozen=True, slots=True)
class Query:
    """A query with what its words mean."""

    text: str
    language: Language
    type: ProductType
    wants: tuple[Want, ...]

    def grade(self, facts: Facts) -> int:
        """3: the type with all that is asked; 2 and 1: one, or more, of it missing; also 1: an accessory or a near
        type; 0: something else. The language of the title plays no part."""
        if facts.type is self.type:
            return max(1, 3 - sum(not want.is_met(facts) for want in self.wants))
        near = facts.type.near == self.type.key or self.type.near == facts.type.key
        return int(near or facts.type.host == self.type.key)


def query_for(facts: Facts, language: Language, draw: Draw) -> Query:
    """A query that the product answers fully."""
    kind = facts.type
    words, wants = _wants(facts, language, draw)
    name = draw.one(kind.synonyms(language))
    if wants and wants[0].kind == "model":
        text = " ".join(words)
    elif language == "zh":
        text = f"{draw.one(('', ' ')).join(words)}{draw.one(('', ' '))}{name}"
    elif wants and wants[0].kind == "host":
        text = f"{name} for {words[0]}"
    elif wants and wants[0].kind == "feature" and draw.chance(0.5):
        text = f"{name} {' '.join(words)}"
    else:
        text = f"{' '.join(words)} {name}"
    return Query(text.strip(), language, kind, tuple(wants))


def _wants(facts: Facts, language: Language, draw: Draw) -> tuple[list[str], list[Want]]:
    kind = facts.type
    form = draw.fraction()
    if form < 0.3:
        return [], []
    if facts.host is not None and form < 0.6:
        return [named(facts.host, language)], [Want("host", "", named(facts.host, "en"))]
    brand = (facts.brand.said(language), Want("brand", "", facts.brand.en))
    if form < 0.4:
        return [brand[0]], [brand[1]]
    if form < 0.5 and facts.model:
        return [brand[0], facts.model], [Want("model", "", facts.model), brand[1]]
    feature = kind.features[draw.one(facts.features)]
    featured = (feature.said(language), Want("feature", "", feature.en))
    if form < 0.7 or not kind.values:
        return [featured[0]], [featured[1]]
    place = draw.below(len(kind.values))
    value = kind.values[place].words[facts.values[place]]
    valued = (value.said(language), Want("value", kind.values[place].name, value.en))
    if form < 0.9:
        return [valued[0]], [valued[1]]
    return [valued[0], featured[0]], [valued[1], featured[1]]
