"""The catalogue's vectors by the model in training: for mining hard negatives and for measuring what is found."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import faiss
import numpy as np
from rich.console import Console
from rich.progress import track
from torch import nn

from training.bases import Base
from training.e5_weights import Floats
from training.encoder import encode, tokenize
from training.sources.catalogue import Catalogue

_CHUNK = 2_048
_EXACT_UP_TO = 60_000  # products; beyond, approximate with a byte for each dimension
_TRAINED_ON = 40  # vectors for each list of the approximate index
_PROBES = 16


class TextEncoder:
    """The model in training with its base's tokenizer and prompts: normalised texts -> vectors (n, d) float32."""

    def __init__(self, encoder: nn.Module, base: Base, max_tokens: int) -> None:
        self._encoder, self._base, self._max_tokens = encoder, base, max_tokens

    def rows(self, texts: Iterable[str], kind: str) -> list[list[int]]:
        """Token ids, prompted; `kind` is "query" or "document"."""
        return tokenize(self._base.tokenizer, [self._base.prompts[kind] + text for text in texts], self._max_tokens)

    def vectors(self, texts: Sequence[str], kind: str) -> Floats:
        return encode(self._encoder, self.rows(texts, kind), self._base.pad_id)


class DenseIndex:
    """Every product of the catalogue, found by cosine."""

    def __init__(self, texts: TextEncoder, catalogue: Catalogue) -> None:
        count = len(catalogue)
        chunks = _vectors(texts, catalogue)
        first = next(chunks)
        self._index: Any
        if count <= _EXACT_UP_TO:
            self._index = faiss.IndexFlatIP(first.shape[1])
        else:
            lists = int(np.sqrt(count))
            self._index = faiss.index_factory(first.shape[1], f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
            self._index.nprobe = _PROBES
            sample = [first, *islice(chunks, lists * _TRAINED_ON // _CHUNK)]
            first = np.concatenate(sample)
            self._index.train(first)
        self._index.add(first)
        for chunk in chunks:
            self._index.add(chunk)

    def vectors(self, numbers: Sequence[int]) -> Floats:
        """The products' vectors (n, d) as the index keeps them."""
        if not isinstance(self._index, faiss.IndexFlat):
            self._index.make_direct_map()
        found: Floats = self._index.reconstruct_batch(np.array(numbers, dtype=np.int64))
        return found

    def find(self, queries: Floats, count: int) -> tuple[Floats, Any]:
        """Cosines and product numbers, best first, both (n, count)."""
        scores, numbers = self._index.search(queries, min(count, self._index.ntotal))
        return scores, numbers


def _vectors(texts: TextEncoder, catalogue: Catalogue) -> Iterator[Floats]:
    console = Console(stderr=True)
    starts = range(0, len(catalogue), _CHUNK)
    for start in track(starts, "encoding products", console=console, disable=not console.is_terminal):
        numbers = range(start, min(start + _CHUNK, len(catalogue)))
        yield texts.vectors(catalogue.documents(numbers), "document")
