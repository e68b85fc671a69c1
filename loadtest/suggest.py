"""`python -m loadtest.suggest`: what suggestions cost over catalogues of several sizes, in one process.

The sample generator's products, in a real catalogue on disk, with their words, brands and categories. Typed are the
beginnings of what its shoppers ask, one in ten misspelt and every tenth in pinyin where it is Chinese; one caller, and
products are read from the catalogue as the retriever reads them. The processor's time says what a quiet machine takes.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from cli.sample.draw import Draw
from cli.sample.products import Shop
from cli.sample.queries import query_for
from services.retriever.catalogue import Catalogue
from services.retriever.columns import Columns, ColumnsView
from services.retriever.field_values import values_of
from services.retriever.lexical_index import Entry
from services.retriever.pinyin import pinyin_of
from services.retriever.product_document import document_of
from services.retriever.products import Products
from services.retriever.suggest.index import SuggestIndex
from services.retriever.suggest.search import suggest
from services.retriever.suggest.segment import Suggestible, segment_of, suggestible_of
from services.retriever.tables import Version
from services.retriever.words import words_of
from vitrine.ports import SuggestQuery
from vitrine.product import Product, checked_product

_GROUP = 500
_CACHED = 20_000
_LIMIT = 8


def _suggestible(row: int, product: Product) -> Suggestible:
    fields = {"title": " ".join(words_of(product.title)), "brand": " ".join(words_of(product.brand))}
    found = suggestible_of(row, Entry(fields, values_of(product)))
    assert found is not None
    return found


class Filled:
    """A catalogue of the sample shop's products with their suggestions; a folder that has them is used as it is."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        self.catalogue = Catalogue(folder)
        columns, rows = Columns(1), range(1, shop.products + 1)
        columns.append(rows, [f"P{row}" for row in rows], [{}] * len(rows), np.ones((len(rows), 1), np.float32))
        self.view: ColumnsView = columns.view()
        saved = folder / "suggest.npz"
        if not saved.exists():
            index = self._built(shop)
            np.savez(saved, allow_pickle=False, **index.arrays())
            index.close()
        with np.load(saved) as arrays:
            self.index = SuggestIndex.restored(dict(arrays))

    def _built(self, shop: Shop) -> SuggestIndex:
        index = SuggestIndex()
        # Tables that the first Chinese text of a process loads, once, are no cost of a product.
        pinyin_of(words_of("藍牙")[0])
        worked_s = longest_s = 0.0
        for first in range(0, shop.products, _GROUP):
            products = [checked_product(shop.product(i)) for i in range(first, min(first + _GROUP, shop.products))]
            rows = range(first + 1, first + 1 + len(products))
            with self.catalogue.transaction() as transaction:
                transaction.add([_version(row, product) for row, product in zip(rows, products, strict=True)], "made")
            suggestible = [_suggestible(row, product) for row, product in zip(rows, products, strict=True)]
            started_s, before_s = time.perf_counter(), time.thread_time()
            index.add(segment_of(suggestible))
            worked_s += time.thread_time() - before_s
            longest_s = max(longest_s, time.perf_counter() - started_s)
        index.settle()
        print(
            f"{shop.products:,} products added, {worked_s / shop.products * 1e6:.0f} µs of the writer's time each, "
            f"{longest_s * 1e3:,.0f} ms at most for {_GROUP}",
            flush=True,
        )
        return index


def _version(row: int, product: Product) -> Version:
    return Version(row, product.id, row, document_of(product), product.description, "", b"", b"")


def typed(shop: Shop, count: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """What shoppers typed so far, and of what kind that is."""
    chance = random.Random(seed)
    for number in range(count):
        facts = shop.facts(chance.randrange(shop.products))
        text = query_for(facts, facts.language, Draw(seed, "typed", number)).text
        kind = "beginning"
        if number % 10 == 0 and len(text) > 5:
            at = chance.randrange(1, len(text) - 2)
            kind, text = "misspelt", text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        elif number % 10 == 1 and facts.language == "zh":
            kind, text = "pinyin", " ".join(pinyin_of(word) or word for word in words_of(text))
        yield text[: chance.randint(1, len(text))] if kind == "beginning" else text, kind


def main(
    products: Annotated[list[int] | None, typer.Option(help="How many products; several for several rows.")] = None,
    calls: Annotated[int, typer.Option(help="Texts that are typed.")] = 3_000,
    folder: Annotated[Path | None, typer.Option(help="Keeps the catalogues here, and uses those that are.")] = None,
) -> None:
    """Prints a table."""
    table = Table("products", "entries", "MB", "bytes/product", "segments", "typed", "calls", "found")
    for heading in ("p50 ms", "p95 ms", "p99 ms", "processor p50", "p99"):
        table.add_column(heading, justify="right")
    for count in products or [10_000, 100_000, 1_000_000]:
        shop = Shop(count, 7)
        with tempfile.TemporaryDirectory() as made:
            filled = Filled((folder or Path(made)) / str(count), shop)
            _measure(table, filled, shop, calls)
            filled.index.close()
            filled.catalogue.close()
    Console(width=140).print(table)


def _measure(table: Table, filled: Filled, shop: Shop, calls: int) -> None:
    read = Products(filled.catalogue, _CACHED)
    suggest(filled.index.segments, filled.view.lives, read, SuggestQuery("蓝牙 kongqi", _LIMIT))
    took: dict[str, list[float]] = {}
    worked: dict[str, list[float]] = {}
    found: dict[str, int] = {}
    for text, kind in typed(shop, calls):
        started_s, before_s = time.perf_counter(), time.thread_time()
        suggestions = suggest(filled.index.segments, filled.view.lives, read, SuggestQuery(text, _LIMIT))
        took.setdefault(kind, []).append((time.perf_counter() - started_s) * 1e3)
        worked.setdefault(kind, []).append((time.thread_time() - before_s) * 1e3)
        found[kind] = found.get(kind, 0) + bool(suggestions)
    took["all"] = [ms for of_kind in took.values() for ms in of_kind]
    worked["all"] = [ms for of_kind in worked.values() for ms in of_kind]
    found["all"] = sum(found.values())
    entries = sum(len(one.rows) + len(one.words.keys) + len(one.labels.keys) for one in filled.index.segments)
    size = filled.index.nbytes
    for kind, times in took.items():
        table.add_row(
            f"{shop.products:,}",
            f"{entries:,}",
            f"{size / 1e6:,.1f}",
            f"{size / shop.products:.0f}",
            str(len(filled.index.segments)),
            kind,
            f"{len(times):,}",
            f"{found[kind] / len(times):.0%}",
            *(f"{np.percentile(times, share):.1f}" for share in (50, 95, 99)),
            *(f"{np.percentile(worked[kind], share):.1f}" for share in (50, 99)),
        )
    print(f"resident {psutil.Process().memory_info().rss / 1e6:,.0f} MB at {shop.products:,} products", flush=True)


if __name__ == "__main__":
    typer.run(main)
