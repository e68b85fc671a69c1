"""Weighted neighbours of products as sparse matrices (P, P): a row is an anchor, its columns what goes with it."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from training.e5_weights import Floats
from vitrine.learned_products import MAX_NEIGHBOURS


def shrunk(pairs: sparse.csr_array, counts: NDArray[np.int64], anchor_power: float, power: float) -> sparse.csr_array:
    """Pairs over the products' counts to a power: 1 is a share of the anchor's, 1 for both lift, 0.5 for both cosine.

    The diagonal goes.
    """
    floor = np.maximum(counts, 1).astype(np.float64)
    weighted = (sparse.diags_array(floor**-anchor_power) @ pairs @ sparse.diags_array(floor**-power)).tocsr()
    weighted.setdiag(0)
    weighted.eliminate_zeros()
    return weighted.astype(np.float32)


def heaviest(pairs: sparse.csr_array, count: int = MAX_NEIGHBOURS) -> sparse.csr_array:
    """The `count` heaviest of each row, of equals those with the lower number."""
    matrix = pairs.tocoo()
    rows, columns = matrix.coords
    order = np.lexsort((columns, -matrix.data, rows))
    rows, columns, data = rows[order], columns[order], matrix.data[order]
    starts = np.searchsorted(rows, np.arange(pairs.shape[0] + 1))
    kept = np.arange(len(rows)) - starts[rows] < count
    return sparse.csr_array((data[kept], (rows[kept], columns[kept])), shape=pairs.shape, dtype=np.float32)


def found_at(scores: sparse.csr_array, targets: NDArray[np.int64], out: sparse.csr_array) -> Floats:
    """(n,) the places, from 0, of the targets among the scores of their rows without `out`; inf where not found."""
    allowed = scores - scores.multiply(out != 0)
    places = np.full(len(targets), np.inf, np.float32)
    own = np.asarray(allowed[np.arange(len(targets)), targets]).ravel()
    rows = np.repeat(np.arange(len(targets)), np.diff(allowed.indptr))
    above = np.bincount(rows, allowed.data > own[rows], minlength=len(targets))
    places[own > 0] = above[own > 0]
    return places
