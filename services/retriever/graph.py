"""The vector graph: FAISS HNSW over versions by row key, kept in a checksummed file that may be thrown away.

It only proposes: what it finds is looked up in the columns and scored there, so a graph that is wrong costs recall and
never shows a wrong product or score.
"""

import hashlib
import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from services.retriever.columns import BoolArray, ColumnsView, IntArray
from vitrine.errors import FailedPrecondition
from vitrine.vectors import FloatArray

NEIGHBOURS = 32
BUILD_BREADTH = 120
# Vectors added before the builder looks whether it has to stop.
_ADD_CHUNK = 2_000
# Some of what is called is not in the package's type stubs.
_faiss: Any = faiss
_MAGIC = b"VITRGRF1"
_HEADER = struct.Struct("<8sI32s")


@dataclass(frozen=True, slots=True)
class Graph:
    """A built graph; nothing in it changes. `rows` (m,) ascending: the row key of each of its nodes."""

    index: Any
    rows: IntArray
    model_digest: str

    def search(self, query: FloatArray, limit: int, breadth: int, allowed: BoolArray | None) -> IntArray:
        """Nodes near the (dim,) query, at most `limit`; `allowed` (m,) bool restricts them, None does not."""
        options: dict[str, Any] = {"efSearch": breadth}
        if allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            options["sel"] = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bitmap))
        parameters = _faiss.SearchParametersHNSW(**options)
        _, nodes = self.index.search(query[None], limit, params=parameters)
        found: IntArray = nodes[0][nodes[0] >= 0]
        return found


def build_graph(
    view: ColumnsView, model_digest: str, earlier: Graph | None, stopped: Callable[[], bool]
) -> Graph | None:
    """A graph over the living versions of `view`; grown from a copy of `earlier` where there is one.

    None when `stopped` said so before the end. Half-precision inside: scores come from the columns. For vectors of
    length 1 the order by distance is that of cosines, and unlike inner products distances stay apart in half precision
    where all vectors point much the same way, as text vectors do (recall@10 0.98 against 0.46 in `test_graph`).
    """
    if earlier is None:
        dim = view.vectors.dim
        index = _faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_fp16, NEIGHBOURS, faiss.METRIC_L2)
        index.hnsw.efConstruction = BUILD_BREADTH
        index.is_trained = True
        start, rows = 0, np.empty(0, np.int64)
    else:
        index = _faiss.clone_index(earlier.index)
        rows = earlier.rows
        start = int(np.searchsorted(view.rows, rows[-1], side="right"))
    added = np.flatnonzero(view.alive[start:]) + start
    for first in range(0, len(added), _ADD_CHUNK):
        if stopped():
            return None
        index.add(view.vectors[added[first : first + _ADD_CHUNK]])
    return Graph(index, np.concatenate([rows, view.rows[added]]), model_digest)


def save_graph(path: Path, graph: Graph, *, catalogue_id: str) -> None:
    """Writes the graph; the file is the old one or the new one at every moment, never half of one."""
    header = {"catalogue_id": catalogue_id, "model_digest": graph.model_digest, "nodes": len(graph.rows)}
    parts = [
        json.dumps(header).encode(),
        graph.rows.astype("<i8").tobytes(),
        faiss.serialize_index(graph.index).tobytes(),
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    scratch = path.with_suffix(".tmp")
    with scratch.open("wb") as file:
        file.write(_HEADER.pack(_MAGIC, len(parts[0]), digest.digest()))
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def load_graph(path: Path, *, catalogue_id: str, model_digest: str) -> Graph | None:
    """Reads a graph; None when there is no file.

    Raises FailedPrecondition when the file is damaged, or was made of another catalogue or by another model.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) < _HEADER.size:
        raise FailedPrecondition(f"{path} is cut short")
    magic, length, expected = _HEADER.unpack_from(data)
    body = memoryview(data)[_HEADER.size :]
    if magic != _MAGIC or hashlib.sha256(body).digest() != expected:
        raise FailedPrecondition(f"{path} does not match its checksum")
    header = json.loads(bytes(body[:length]))
    if header["catalogue_id"] != catalogue_id:
        raise FailedPrecondition(f"{path} belongs to another catalogue")
    if header["model_digest"] != model_digest:
        raise FailedPrecondition(
            f"{path} was made with vectors of {header['model_digest']} and the catalogue has {model_digest}"
        )
    end = length + 8 * header["nodes"]
    rows = np.frombuffer(body[length:end], "<i8").astype(np.int64)
    index = faiss.deserialize_index(np.frombuffer(body[end:], np.uint8))
    if index.ntotal != len(rows):
        raise FailedPrecondition(f"{path} holds {index.ntotal} vectors and {len(rows)} row keys")
    return Graph(index, rows, model_digest)
