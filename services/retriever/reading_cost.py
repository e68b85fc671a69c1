"""`python -m services.retriever.reading_cost PRODUCTS QUERIES`: what reading a query costs on this machine.

PRODUCTS is a file of products as `vitrine sample` writes it, QUERIES one query a line. Prints milliseconds of processor
time of a search by words: of the query as it stands, of its reading alone, and of both together, for all queries and
for those that were read as something else.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np

from services.retriever.filters import plan_of
from services.retriever.lexical_index import LexicalIndex, entry_of
from services.retriever.query_reader import read_query
from services.retriever.reading import Reading, ReadTerm
from services.retriever.retrieval import WORDS_POOL
from services.retriever.words import indexed_text, query_terms
from vitrine.mapping import load_mapping
from vitrine.ports import ProductFilter
from vitrine.product_row import ProductRows
from vitrine.rows import RowFile


def as_it_stands(text: str) -> Reading:
    """The words of a query, and nothing read into them."""
    return Reading(text, text, tuple(ReadTerm(term) for term in query_terms(indexed_text(text))))


def lexical_index(path: Path, mapping: Path | None, limit: int | None) -> LexicalIndex:
    """An index of the first products of a file."""
    index, rows = LexicalIndex(), ProductRows(load_mapping(mapping))
    for number, row in enumerate(RowFile(path).rows()):
        if number == limit:
            break
        product = rows.product(row.values)
        index.add(number, product.id, entry_of(product))
    return index


class _Watch:
    """Milliseconds of this thread's own processor time: what else runs on the machine counts little."""

    def __enter__(self) -> "_Watch":
        self._started = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.ms = (time.thread_time() - self._started) * 1_000


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("products", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--mapping", type=Path, help="mapping of the products' columns, as for `vitrine ingest`")
    parser.add_argument("--limit", type=int, help="only the first so many products")
    arguments = parser.parse_args()
    view = lexical_index(arguments.products, arguments.mapping, arguments.limit).view()
    opened = gzip.open if arguments.queries.suffix == ".gz" else open
    with opened(arguments.queries, "rt", encoding="utf-8") as lines:
        queries = [line.strip() for line in lines if line.strip()]
    plan = plan_of(ProductFilter())
    times = np.zeros((len(queries), 3))
    repaired = np.zeros(len(queries), bool)
    for at, query in enumerate(queries):
        with _Watch() as plain:
            view.search(as_it_stands(query), plan, WORDS_POOL)
        with _Watch() as read:
            reading = read_query(query, view)
        with _Watch() as searched:
            view.search(reading, plan, WORDS_POOL)
        times[at] = plain.ms, read.ms, read.ms + searched.ms
        repaired[at] = bool(reading.words or reading.excluded)
    print(f"{view.products} products, {view.vocabulary.size} words, {len(queries)} queries")
    print(f"{repaired.sum()} of them read otherwise than they stand")
    print(f"{'milliseconds':>28} {'p50':>8} {'p99':>8}")
    for name, chosen in (("all", np.ones(len(queries), bool)), ("read otherwise", repaired)):
        for what, column in (("as it stands", 0), ("reading alone", 1), ("reading and search", 2)):
            if chosen.any():
                p50, p99 = np.percentile(times[chosen, column], (50, 99))
                print(f"{name:>8}, {what:>18} {p50:>8.3f} {p99:>8.3f}")


if __name__ == "__main__":
    main()
