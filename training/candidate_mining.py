"""Mines the lists that a ranker learns on: what the real retriever finds for each query, hard negatives among it.

A product that nobody labelled and that the embedder takes for about as near as those that are relevant may well be
relevant too: it is measured, and not learned from (Moreira et al. 2024, "NV-Retriever", positive-aware mining).
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from gateway.search import MAX_QUERY_CHARACTERS
from training.catalogue_labels import correction, made_queries
from training.catalogue_search import CatalogueSearch, Shown, as_shown, open_search
from training.errors import TrainingError
from training.processes import processes
from training.run_folder import RunFolder
from training.served_lists import ListFile, Origin, ServedList, list_line
from training.shop_files import ShopItem
from training.sources.catalogue import read_products, shop_item
from training.sources.files import SourceFiles, Sources
from training.sources.labels import draw_labels
from training.sources.supervision import TrainingList, training_lists
from vitrine.ports import Candidate


@dataclass(frozen=True)
class MiningSettings:
    """Which lists are made, and of what. `depth`: candidates that serving ranks; `deeper` more are drawn below it."""

    seed: int = 23
    labels: int | None = None  # labelled pairs to draw; None: all
    made_lists: int = 400  # queries made from the catalogue
    depth: int = 32
    deeper: int = 8
    deepest: int = 200
    too_near: float = 0.95  # share of the relevant products' cosine from which an unlabelled one is not learned from
    unlabelled_weight: float = 0.3


def mine_lists(
    sources: Sources, files: SourceFiles, embedder: Path, settings: MiningSettings, run: RunFolder
) -> ListFile:
    """The run's lists, mined now or before. Raises TrainingError when there is none."""
    path = run.path / "lists.jsonl"
    if processes().is_main_process and not path.exists():
        asyncio.run(_mine(sources, files, embedder, settings, run, path))
    processes().wait_for_everyone()
    lists = ListFile(path)
    if not len(lists):
        raise TrainingError("no list to learn on: no query has a labelled product that the retriever finds")
    return lists


async def _mine(
    sources: Sources, files: SourceFiles, embedder: Path, settings: MiningSettings, run: RunFolder, path: Path
) -> None:
    scratch = path.with_name(f".{path.name}.tmp")
    counts: Counter[str] = Counter()
    async with open_search(embedder, run.path / "catalogue") as search:
        with _progress("embed products", len(sources.catalogue)) as show:
            products = read_products(files.products, files.mapping, _unheard)
            counts["products"] = await search.fill(products, show)
        with _progress("search", None) as show, scratch.open("w", encoding="utf-8") as lines:
            async for served in _lists(search, sources, settings, counts):
                lines.write(list_line(served))
                show(1)
    scratch.replace(path)
    run.log(step="lists", **counts)


async def _lists(
    search: CatalogueSearch, sources: Sources, settings: MiningSettings, counts: Counter[str]
) -> AsyncIterator[ServedList]:
    rng = random.Random(settings.seed)
    if settings.labels != 0:
        labels = None if settings.labels is None else draw_labels(sources, settings.labels, settings.seed)
        for labelled in training_lists(sources, labels=labels):
            if len(labelled.query) > MAX_QUERY_CHARACTERS:
                counts["queries_too_long"] += 1  # no shopper's search of that length is answered
                continue
            found = await search.find(labelled.query)
            served = await _labelled(search, labelled, found, settings, rng, counts)
            if served is not None:
                counts["labelled_lists"] += 1
                yield served
    for query, source in made_queries(sources.catalogue.items(), settings.made_lists, rng):
        found = await search.find(query)
        served = await _made(search, query, source, found, settings, rng)
        if served is not None:
            counts["made_lists"] += 1
            yield served


async def _labelled(
    search: CatalogueSearch,
    labelled: TrainingList,
    found: Sequence[Candidate],
    settings: MiningSettings,
    rng: random.Random,
    counts: Counter[str],
) -> ServedList | None:
    """None when nothing of it was found, or nothing relevant."""
    place_of = {candidate.product_id: place for place, candidate in enumerate(found)}
    known = {
        place_of[product]: (relevance, weight)
        for product, relevance, weight in zip(labelled.product_ids, labelled.relevance, labelled.weights, strict=True)
        if product in place_of
    }
    counts["labels_found"] += len(known)
    counts["labels_not_found"] += len(labelled.product_ids) - len(known)
    if not any(relevance for relevance, _ in known.values()):
        return None
    chosen = sorted({*known, *_places(len(found), settings, rng)})
    shown, _ = await _shown(search, found, chosen)
    near = [one.dense for place, one in zip(chosen, shown, strict=True) if known.get(place, (0.0,))[0] > 0]
    limit = settings.too_near * sum(near) / len(near)
    grades = [
        known.get(place, (0.0, 0.0 if one.dense > limit else settings.unlabelled_weight))
        for place, one in zip(chosen, shown, strict=True)
    ]
    return _served(labelled.query, "labels", shown, chosen, grades, [place in known for place in chosen])


async def _made(
    search: CatalogueSearch,
    query: str,
    source: ShopItem,
    found: Sequence[Candidate],
    settings: MiningSettings,
    rng: random.Random,
) -> ServedList | None:
    """None when the product that the query was made from is not found: the query says too little of it."""
    own = next((place for place, candidate in enumerate(found) if candidate.product_id == source.id), None)
    if own is None:
        return None
    chosen = sorted({own, *_places(len(found), settings, rng)})
    shown, items = await _shown(search, found, chosen)
    grades = [(correction(query, source, items[one.id]), 1.0) for one in shown]
    return _served(query, "catalogue", shown, chosen, grades, [False] * len(chosen))


def _places(found: int, settings: MiningSettings, rng: random.Random) -> Iterable[int]:
    """Places in the retriever's order, from 0: those that serving ranks, and some deeper ones."""
    deeper = range(settings.depth, min(found, settings.deepest))
    return [*range(min(found, settings.depth)), *rng.sample(deeper, min(settings.deeper, len(deeper)))]


async def _shown(
    search: CatalogueSearch, found: Sequence[Candidate], chosen: Sequence[int]
) -> tuple[list[Shown], dict[str, ShopItem]]:
    products = await search.products([found[place].product_id for place in chosen])
    return as_shown(found, chosen, products), {name: shop_item(product) for name, product in products.items()}


@contextmanager
def _progress(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal; told how many more are done."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=total)
        yield lambda done: progress.advance(task, done)


def _unheard(note: str) -> None:
    """What the reader leaves out, the sources have noted already."""


def _served(
    query: str,
    origin: Origin,
    shown: Sequence[Shown],
    chosen: Sequence[int],
    grades: Sequence[tuple[float, float]],
    labelled: Sequence[bool],
) -> ServedList:
    return ServedList(
        query=query,
        origin=origin,
        product_ids=tuple(one.id for one in shown),
        documents=tuple(one.text for one in shown),
        dense=tuple(one.dense for one in shown),
        lexical=tuple(one.lexical for one in shown),
        places=tuple(place + 1 for place in chosen),
        relevance=tuple(relevance for relevance, _ in grades),
        weights=tuple(weight for _, weight in grades),
        labelled=tuple(labelled),
    )
