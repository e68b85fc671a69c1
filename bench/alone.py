"""The stages' own compute: their sessions and the retrieval called one after the other, nothing around them."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from bench.row_threads import RowThreads
from gateway.ranking import rank_candidates
from gateway.search import DEFAULT_PAGE_SIZE
from gateway.settings import GatewaySettings
from services.ranker.kept_tokens import KeptTokens
from services.ranker.pairs import Pair, PairBuilder
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.bundle import load_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.inference import load_session
from vitrine.ports import Candidate, Retrieval, RetrievalQuery
from vitrine.text import normalize_text
from vitrine.tokenization import Tokenizer, Tokens
from vitrine.vectors import FloatArray

_LIMIT_S = 60.0
_CATALOGUE = "catalogue.db"


class AloneEmbedder:
    """The shipped embedder's session and tokenizer."""

    def __init__(self) -> None:
        bundle = load_bundle(Path("models/embedder"), "embedder")
        self.manifest = bundle.manifest
        budget = ComputeBudget()
        self.session = RowThreads(load_session(bundle, budget), budget)
        self._tokenizer = Tokenizer(bundle)

    def tokens(self, texts: Sequence[str], input_type: Literal["query", "document"]) -> list[Tokens]:
        """The texts as the model reads them."""
        prompt = self.manifest.prompts[input_type]
        return self._tokenizer.encode([prompt + normalize_text(text) for text in texts], self.manifest.max_tokens)


class AloneRanker:
    """The shipped ranker's session and what builds its pairs."""

    def __init__(self) -> None:
        bundle = load_bundle(Path("models/ranker"), "ranker")
        settings = RankerSettings()
        budget = ComputeBudget()
        self.session = RowThreads(load_session(bundle, budget), budget)
        # Two runs for each thread.
        self._most_tokens = settings.batch.max_batch_tokens * 2 * budget.threads
        self._pairs = PairBuilder(
            Tokenizer(bundle), bundle.manifest.max_tokens, settings.max_query_tokens, KeptTokens(settings.kept_texts)
        )

    def pairs(self, query: str, candidates: Sequence[Candidate], best_bm25: float) -> list[Pair]:
        """The pairs as the model reads them."""
        built = self._pairs.build(normalize_text(query), rank_candidates(candidates, best_bm25))
        return [pair for pair in built if not isinstance(pair, VitrineError)]

    def groups(self, pairs: Sequence[Pair]) -> list[list[Pair]]:
        """The pairs in groups of like length, each a run of the model."""
        return in_groups(pairs, self._most_tokens)

    def run_all(self, groups: Sequence[Sequence[Pair]]) -> None:
        """A run of the model for each group."""
        for group in groups:
            self.session.run([pair.ids for pair in group], [pair.type_ids for pair in group])


def in_groups(pairs: Sequence[Pair], most_tokens: int) -> list[list[Pair]]:
    """Pairs in groups of equal length as far as may be, each of at most `most_tokens`, padding counted."""
    groups: list[list[Pair]] = [[]]
    for pair in sorted(pairs, key=lambda one: len(one.ids)):
        if groups[-1] and len(pair.ids) * (len(groups[-1]) + 1) > most_tokens:
            groups.append([])
        groups[-1].append(pair)
    return groups


@dataclass(frozen=True, slots=True)
class Compute:
    """Seconds that the stages of one search computed, from text to vector, candidates and logits."""

    embed_s: float
    retrieve_s: float
    rank_s: float

    @property
    def total_s(self) -> float:
        """All three."""
        return self.embed_s + self.retrieve_s + self.rank_s


class AloneSearch:
    """The three stages over a copy of a catalogue; a context manager, for one thread."""

    def __init__(self, data: Path, copy: Path) -> None:
        """`data` is the folder of a retriever, which may be running; its catalogue is copied to `copy`."""
        copy.mkdir(parents=True, exist_ok=True)
        for old in copy.glob(f"{_CATALOGUE}*"):
            old.unlink()
        with (
            closing(sqlite3.connect(data / _CATALOGUE)) as source,
            closing(sqlite3.connect(copy / _CATALOGUE)) as target,
        ):
            source.backup(target)
        self._folder = copy
        self._embedder, self._ranker = AloneEmbedder(), AloneRanker()
        self._gateway = GatewaySettings()
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        self._retriever = self._loop.run(RetrieverEngine.open(RetrieverSettings(data_dir=self._folder)))
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._retriever.close())
        self._loop.close()

    def search(self, query: str, depth: int | None = None) -> Compute:
        """What one search computes; `depth` candidates are ranked, by default as many as the gateway has ranked."""
        depth = self._gateway.rank_depth if depth is None else depth
        started_s = time.perf_counter()
        tokens = self._embedder.tokens([query], "query")
        (vector,) = self._embedder.session.run([tokens[0].ids])
        embedded_s = time.perf_counter()
        found, retrieve_s = self._loop.run(self._retrieved(query, np.asarray(vector, dtype=np.float32), depth))
        ranking_s = time.perf_counter()
        self._ranker.run_all(self._ranker.groups(self._ranker.pairs(query, found.candidates[:depth], found.best_bm25)))
        ended_s = time.perf_counter()
        return Compute(embedded_s - started_s, retrieve_s, ended_s - ranking_s)

    async def _retrieved(self, query: str, vector: FloatArray, depth: int) -> tuple[Retrieval, float]:
        """What is found, and the seconds that it took, without those of the event loop's start and end."""
        started_s = time.perf_counter()
        found = await self._retriever.retrieve(
            RetrievalQuery(
                normalize_text(query),
                vector,
                self._embedder.manifest.digest,
                depth=self._gateway.result_window,
                product_limit=max(depth, DEFAULT_PAGE_SIZE),
                with_total_size=True,
                with_pins=True,
                with_bare_rest=True,
            ),
            deadline=Deadline.after(_LIMIT_S),
        )
        return found, time.perf_counter() - started_s
