"""Vectors for many products made from the embedder's of a few: for measuring an index at sizes that take days to embed.

A sample of the sample shop's products and of its shoppers' queries is embedded by the shipped embedder. The vector of
product i is then one of the sample's, moved by a part of the difference of two others, which is how products differ,
and by a little noise in every direction; the same i gives the same vector.
"""

import asyncio
from pathlib import Path

import numpy as np

from cli.sample.draw import Draw
from cli.sample.products import Shop
from cli.sample.queries import query_for
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import InputType, Lane
from vitrine.product_text import embedding_text
from vitrine.vectors import FloatArray, l2_normalized

CHUNK = 10_000
_SAMPLE = 12_000
_QUERIES = 1_000
_DIFFERENCE = 0.3
_NOISE = 0.2
_BATCH = 128


class MadeVectors:
    """The sample's vectors (n, dim), those of queries with their texts, and what is made of them."""

    def __init__(self, sample: FloatArray, queries: FloatArray, texts: list[str]) -> None:
        self._sample = sample
        self.queries = queries
        self.texts = texts

    @classmethod
    def of(cls, shop: Shop, file: Path) -> "MadeVectors":
        """Reads the sample from the file, or embeds it and writes it there: some minutes."""
        numbers = np.random.default_rng(0).choice(shop.products, min(_SAMPLE, shop.products), replace=False).tolist()
        texts = [query_for(shop.facts(n), shop.language_of(n), Draw(5, "query", n)).text for n in numbers[:_QUERIES]]
        if not file.exists():
            documents = [embedding_text(shop.product(number)) for number in numbers]
            made = asyncio.run(_embedded(documents, texts))
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, sample=made[0], queries=made[1])
        read = np.load(file)
        return cls(read["sample"], read["queries"], texts)

    def chunk(self, number: int) -> FloatArray:
        """(CHUNK, dim) vectors of products from CHUNK * number on."""
        random = np.random.default_rng([7, number])
        count, dim = self._sample.shape
        base, one, other = random.integers(count, size=(3, CHUNK))
        moved = self._sample[base] + _DIFFERENCE * (self._sample[one] - self._sample[other])
        noise = random.normal(scale=_NOISE / np.sqrt(dim), size=(CHUNK, dim))
        return l2_normalized((moved + noise).astype(np.float32))


async def _embedded(documents: list[str], queries: list[str]) -> tuple[FloatArray, FloatArray]:
    budget = ComputeBudget()
    engine = await EmbedderEngine.open(EmbedderSettings(), budget)

    async def embedded(texts: list[str], input_type: InputType) -> FloatArray:
        parts = [
            await engine.embed(
                texts[start : start + _BATCH], input_type=input_type, deadline=Deadline.after(600), lane=Lane.BULK
            )
            for start in range(0, len(texts), _BATCH)
        ]
        return np.concatenate([part.vectors for part in parts])

    try:
        return await embedded(documents, InputType.DOCUMENT), await embedded(queries, InputType.QUERY)
    finally:
        await engine.close()
        await budget.close()
