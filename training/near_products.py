"""The products nearest each query, by an embedder's vectors or by the words alone: what a ranker is asked to order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from training.backbones import BackboneEncoder
from training.bases import Base
from training.distil_rows import DistilRows
from training.e5_weights import Floats
from training.encoder import encode
from training.processes import processes

_CHUNK = 2_048  # queries compared with all products at once


def near_by_vectors(rows: DistilRows, embedder: Base, count: int) -> NDArray[Any]:
    """Numbers (m, count) of the products of the highest cosine with each query, best first."""
    encoder = BackboneEncoder(embedder.model, embedder.pooling).to(processes().device)
    products = encode(encoder, embedder.prompted("document", rows.embedded), embedder.pad_id)
    queries = encode(encoder, embedder.prompted("query", rows.queries), embedder.pad_id)
    return _nearest(products, queries, count)


def near_by_words(rows: DistilRows, words: Floats, count: int) -> NDArray[Any]:
    """The same by the sums of word rows (v, d), each weighted by how few products have the piece (idf)."""
    seen = np.bincount(np.concatenate([np.array(row, dtype=np.int64) for row in rows.ranked]), minlength=len(words))
    weights = np.maximum(np.log(len(rows.ranked) / (seen + 1)), 0).astype(np.float32)
    return _nearest(_bags(rows.ranked, words, weights), _bags(rows.queries, words, weights), count)


def _bags(rows: Sequence[list[int]], words: Floats, weights: Floats) -> Floats:
    """The weighted sums (n, d) of each row's words, L2-normalised."""
    ids = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
    starts = np.cumsum([0, *map(len, rows)])
    sums: Floats = csr_matrix((weights[ids], ids, starts), shape=(len(rows), len(words))) @ words
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return sums


def _nearest(products: Floats, queries: Floats, count: int) -> NDArray[Any]:
    device = processes().device
    shown = torch.from_numpy(products).to(device)
    parts = [
        (torch.from_numpy(queries[at : at + _CHUNK]).to(device) @ shown.T).topk(count, dim=1).indices.cpu()
        for at in range(0, len(queries), _CHUNK)
    ]
    found: NDArray[Any] = torch.cat(parts).numpy().astype(np.int32)
    return found
