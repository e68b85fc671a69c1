"""The texts that distillation learns on: titles and label-free queries of the "may train" shops, and made ones."""

import csv
import gzip
import random
from collections.abc import Callable
from pathlib import Path

from training import shop_lexicon
from training.errors import TrainingError
from training.shop_files import read_icecat, read_litemall, read_litemall_reviews, read_vespa
from training.shop_queries import item_queries
from training.teachers import ShopText, han_share
from vitrine.product_text import EMBEDDING_DESCRIPTION_COLUMNS, EMBEDDING_TITLE_COLUMNS
from vitrine.text import normalize_text

MAX_TITLE_CHARACTERS = 160
_VESPA_ITEMS = 7_000
_MADE_CHINESE = 10_000
_MADE_ENGLISH = 4_000
_MAX_ENGLISH_DOCUMENTS = 9_000  # English titles are the longest texts and what the student's body knows best


def distil_texts(data_dir: Path, seed: int) -> list[ShopText]:
    """All texts, normalised, each once, in one shuffled order per seed."""
    rng = random.Random(seed)
    icecat = read_icecat(data_dir)
    vespa = rng.sample(read_vespa(data_dir), _VESPA_ITEMS)
    litemall = read_litemall(data_dir)
    documents = [item.title for item in [*icecat, *vespa, *litemall]]
    documents += [f"{item.title} {item.summary}" for item in litemall] + read_online_retail(data_dir)
    queries = [query for item in icecat for query in item_queries(item, rng, 1)]
    queries += [query for item in vespa for query in item_queries(item, rng, 1)]
    for item in litemall:
        queries += [*item_queries(item, rng, 5), item.summary, *(value[:60] for value in item.attributes.values())]
    documents += [review[:60] for review in read_litemall_reviews(data_dir)]
    for language, count in (("zh", _MADE_CHINESE), ("en", _MADE_ENGLISH)):
        for _ in range(count):
            product = shop_lexicon.make_product(rng)
            documents.append(shop_lexicon.title(product, language, rng))
            queries.append(shop_lexicon.query(product, language, rng)[0])
    for kind in shop_lexicon.product_types():
        queries += [*kind.chinese, *kind.english]
    texts = [ShopText(normalize_text(text)[:MAX_TITLE_CHARACTERS], False) for text in documents]
    texts += [ShopText(normalize_text(text), True) for text in queries]
    unique = [text for text in dict.fromkeys(texts) if text.text]
    rng.shuffle(unique)
    return _first(unique, _MAX_ENGLISH_DOCUMENTS, lambda text: not text.is_query and han_share(text.text) == 0)


def served_texts(data_dir: Path, icecat: int, vespa: int, seed: int) -> list[ShopText]:
    """Products of the English shops in the words that serving embeds: title and description; each once."""
    rng = random.Random(seed)
    items = rng.sample(read_icecat(data_dir), icecat) + rng.sample(read_vespa(data_dir), vespa)
    columns = (EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS)
    return list(dict.fromkeys(ShopText(item.words(columns), False) for item in items))


def _first(texts: list[ShopText], limit: int, of_kind: Callable[[ShopText], bool]) -> list[ShopText]:
    """The texts without those of a kind that come after its first `limit`."""
    kept, seen = [], 0
    for text in texts:
        seen += (matches := of_kind(text))
        if not matches or seen <= limit:
            kept.append(text)
    return kept


def read_online_retail(data_dir: Path) -> list[str]:
    """The distinct product descriptions of the UCI Online Retail invoices."""
    path = data_dir / "online_retail" / "transactions.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
            return sorted({row["Description"].strip() for row in csv.DictReader(file) if row["Description"]})
    except (OSError, KeyError) as error:
        raise TrainingError(f"cannot read {path}: {error}") from error
