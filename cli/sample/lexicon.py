"""What the sample shop is made of, read from lexicon.toml: product types, values, makers and categories."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, Language] = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Text:
    """The same thing said in both languages."""

    zh: str
    en: str

    @classmethod
    def parse(cls, line: str) -> "Text":
        """Reads "Chinese|English"."""
        zh, en = line.split("|")
        return cls(zh, en)

    def said(self, language: Language) -> str:
        """The words in one language."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Values:
    """Values of one attribute that types draw from; with `numbers`, `words` says each in title form."""

    name: str
    words: tuple[Text, ...]
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ProductType:
    """A kind of product. `price` is the lowest and highest in CNY; `host` names the type that it is an
    accessory for, `near` one that does nearly the same."""

    key: str
    names: tuple[tuple[str, ...], tuple[str, ...]]
    brands: tuple[Text, ...]
    category: Text
    price: tuple[float, float]
    values: tuple[Values, ...]
    features: tuple[Text, ...]
    exclusive: bool = False
    model: str = ""
    host: str = ""
    near: str = ""
    weight: int = 2

    def synonyms(self, language: Language) -> tuple[str, ...]:
        """What the type is called in one language, the best name first."""
        return self.names[LANGUAGES.index(language)]

    def category_path(self, language: Language) -> str:
        """The type's own category, below its group's."""
        name = self.synonyms(language)[0]
        return f"{self.category.said(language)} > {name[0].upper() + name[1:]}"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All product types by key, in the file's order."""

    types: dict[str, ProductType] = field(default_factory=dict)


def _values(name: str, words: list[str] | None = None, numbers: list[float] | None = None, text: str = "") -> Values:
    if words is not None:
        return Values(name, tuple(map(Text.parse, words)))
    said = Text.parse(text)
    drawn = numbers or []
    return Values(
        name, tuple(Text(said.zh.format(n), said.en.format(n)) for n in drawn), tuple(float(n) for n in drawn)
    )


@cache
def load_lexicon() -> Lexicon:
    """The lexicon that ships with the package."""
    source = tomllib.loads(resources.files("cli.sample").joinpath("lexicon.toml").read_text(encoding="utf-8"))
    values = {key: _values(**entry) for key, entry in source["values"].items()}
    brands = {key: tuple(map(Text.parse, lines)) for key, lines in source["brands"].items()}
    categories = {key: Text.parse(line) for key, line in source["categories"].items()}
    types = {}
    for key, entry in source["types"].items():
        names = Text.parse(entry["names"])
        low, high = entry["price"]
        types[key] = ProductType(
            key=key,
            names=(tuple(names.zh.split("/")), tuple(names.en.split("/"))),
            brands=brands[entry["brands"]],
            category=categories[entry["category"]],
            price=(low, high),
            values=tuple(values[name] for name in entry["values"]),
            features=tuple(map(Text.parse, entry["features"])),
            exclusive=entry.get("exclusive", False),
            model=entry.get("model", ""),
            host=entry.get("for", ""),
            near=entry.get("near", ""),
            weight=entry.get("weight", 2),
        )
    return Lexicon(types)
