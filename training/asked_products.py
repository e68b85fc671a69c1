"""Products of the "may train" shops with queries made for them: on these a smaller ranker learns from its teacher."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from training import shop_lexicon
from training.distil_texts import read_online_retail
from training.errors import TrainingError
from training.run_folder import RunFolder
from training.shop_files import ShopItem, read_icecat, read_litemall, read_litemall_reviews, read_vespa
from training.shop_queries import item_queries
from vitrine.product_text import EMBEDDING_DESCRIPTION_COLUMNS, EMBEDDING_TITLE_COLUMNS, title_and_description
from vitrine.text import normalize_text

_REVIEW_CHARACTERS, _QUERY_CHARACTERS = 120, 60


@dataclass(frozen=True)
class AskedProduct:
    """A product and what shoppers could type to find it, which may be nothing; normalised.

    `chinese`: whether it is of a shop, or a made one, where Chinese is most of the text.
    """

    title: str
    description: str
    chinese: bool
    queries: tuple[str, ...]

    def words(self, columns: tuple[int, int]) -> str:
        """The text that a model reads of it, as in serving: title and description, at most so many columns of each."""
        return title_and_description("", self.title, self.description, *columns)


def asked_products(data_dir: Path, vespa: int, made: int, seed: int) -> list[AskedProduct]:
    """All of Icecat, litemall and online retail, `vespa` of Vespa's products and `made` ones; each text once.

    Raises TrainingError naming the file that can't be read or holds too little.
    """
    rng = random.Random(seed)
    icecat, toys = read_icecat(data_dir), read_vespa(data_dir)
    if len(toys) < vespa:
        raise TrainingError(f"{data_dir / 'vespa_products'} holds {len(toys)} products, and {vespa} are needed")
    toys = rng.sample(toys, vespa)
    found = [
        *_english(icecat, rng, 2),
        *_english(toys, rng, 1),
        *_litemall(data_dir, rng),
        *(_text(text, False) for text in sorted(set(map(normalize_text, read_online_retail(data_dir))))),
        *_made(made, rng),
    ]
    first: dict[tuple[str, str], AskedProduct] = {}
    for product in found:
        first.setdefault((product.title, product.description), product)
    return list(first.values())


def kept_products(data_dir: Path, vespa: int, made: int, seed: int, run: RunFolder) -> list[AskedProduct]:
    """The same, kept in the run folder."""
    read = run.json("products", lambda: [asdict(one) for one in asked_products(data_dir, vespa, made, seed)])
    return [AskedProduct(**{**one, "queries": tuple(one["queries"])}) for one in read]


def _english(items: Iterable[ShopItem], rng: random.Random, queries: int) -> Iterator[AskedProduct]:
    columns = (EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS)
    for item in sorted(items, key=lambda item: item.words(columns)):
        yield _item(item, False, item_queries(item, rng, queries))


def _litemall(data_dir: Path, rng: random.Random) -> Iterator[AskedProduct]:
    for item in read_litemall(data_dir):
        values = [normalize_text(value)[:_QUERY_CHARACTERS] for value in item.attributes.values()]
        yield _item(item, True, [*item_queries(item, rng, 8), normalize_text(item.summary), *values])
    for review in read_litemall_reviews(data_dir):
        yield _text(normalize_text(review)[:_REVIEW_CHARACTERS], True)


def _made(count: int, rng: random.Random) -> Iterator[AskedProduct]:
    """Made products, five of six in Chinese and every other one asked for; then each product type by its names."""
    for number in range(count):
        product = shop_lexicon.make_product(rng)
        shown = rng.choices(("zh", "en"), (5, 1))[0]
        asked = rng.choices(("zh", "en"), (5, 1) if shown == "zh" else (1, 3))[0]
        title = normalize_text(shop_lexicon.title(product, shown, rng))
        yield _text(title, True, [normalize_text(shop_lexicon.query(product, asked, rng)[0])] if number % 2 else ())
    for kind in shop_lexicon.product_types():
        yield _text(normalize_text(kind.chinese[0]), True, map(normalize_text, (*kind.chinese, *kind.english)))


def _item(item: ShopItem, chinese: bool, queries: Iterable[str]) -> AskedProduct:
    title = item.words((EMBEDDING_TITLE_COLUMNS, 0))
    whole = item.words((EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS))
    return AskedProduct(title, whole[len(title) :].strip(), chinese, _once(queries))


def _text(title: str, chinese: bool, queries: Iterable[str] = ()) -> AskedProduct:
    return AskedProduct(title, "", chinese, _once(queries))


def _once(queries: Iterable[str]) -> tuple[str, ...]:
    return tuple(query for query in dict.fromkeys(queries) if query)
