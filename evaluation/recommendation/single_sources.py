"""The methods that a fused engine has to beat, each scoring the whole catalogue on its own."""

from collections.abc import Sequence

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender
from scipy import sparse

from evaluation.recommendation.ranking import Scores
from services.retriever.relations import als_inverse, als_user
from training.e5_weights import Floats
from training.recommendation.candidates import Als
from training.recommendation.histories import History
from training.recommendation.interactions import Interactions
from training.recommendation.sequence_model import SequenceModel
from vitrine.fusion import RRF_K
from vitrine.learned_products import MAX_NEIGHBOURS


def popularity(weights: Floats) -> Scores:
    """The same for everyone; products without events are not found."""
    scores = np.where(weights > 0, weights, -np.inf).astype(np.float32)
    return lambda histories: np.tile(scores, (len(histories), 1))


def both(first: Scores, second: Scores) -> Scores:
    """Two methods by reciprocal rank fusion: the simplest engine of two sources."""

    def scores(histories: Sequence[History]) -> Floats:
        fused = sum(1.0 / (RRF_K + _ranks(method(histories))) for method in (first, second))
        return np.where(fused > 0, fused, -np.inf).astype(np.float32)

    return scores


def _ranks(scores: Floats) -> Floats:
    """Ranks from 1 in each row, ties by product number; infinite for what is not found."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranks = np.empty(scores.shape, np.float32)
    np.put_along_axis(ranks, order, np.arange(1, scores.shape[1] + 1, dtype=np.float32)[None], axis=1)
    return np.where(np.isfinite(scores), ranks, np.float32(np.inf))


def by_neighbours(neighbours: sparse.csr_array, *, alike: bool = False) -> Scores:
    """The sum over anchors of weight x the neighbour's weight; `alike`: all anchors weigh 1."""

    def scores(histories: Sequence[History]) -> Floats:
        found = (anchors(histories, neighbours.shape[0], alike=alike) @ neighbours).toarray()
        return np.where(found > 0, found, -np.inf).astype(np.float32)

    return scores


def anchors(histories: Sequence[History], products: int, *, alike: bool = False) -> sparse.csr_array:
    """(n, products): the weights of what is liked."""
    bounds = np.cumsum([0, *(len(one.liked) for one in histories)])
    columns = np.concatenate([one.liked for one in histories])
    weights = np.ones(len(columns)) if alike else np.concatenate([one.weights for one in histories])
    return sparse.csr_array((weights, columns, bounds), shape=(len(histories), products))


def cosine_neighbours(interactions: Interactions) -> sparse.csr_array:
    """(P, P): cosine of products' visitors, the item-item method as the `implicit` library has it; 100 a row."""
    size = len(interactions.product_ids)
    ones = np.ones(len(interactions))
    visitors = int(interactions.visitors.max()) + 1
    seen = sparse.csr_matrix((ones, (interactions.visitors, interactions.products)), shape=(visitors, size))
    norms = np.sqrt(np.maximum((seen.multiply(seen)).sum(axis=0).A1, 1e-12))
    # Its CosineRecommender does the same, and warns of the matrix that it makes on the way.
    model = ItemItemRecommender(K=MAX_NEIGHBOURS + 1, num_threads=1)
    model.fit(sparse.csr_matrix(seen @ sparse.diags(1 / norms)), show_progress=False)
    similarity = sparse.csr_array(model.similarity)
    similarity.setdiag(0)
    similarity.eliminate_zeros()
    return similarity


def by_factors(als: Als) -> Scores:
    """Histories folded in, as the retriever does it; products without factors are not found."""
    inverse, known = als_inverse(als.factors, als.regularization), als.factors.any(axis=1)

    def scores(histories: Sequence[History]) -> Floats:
        users = np.stack([als_user(als.factors, inverse, one.liked, one.weights, alpha=als.alpha) for one in histories])
        return np.where(known, users @ als.factors.T, -np.inf).astype(np.float32)

    return scores


def by_sequence(model: SequenceModel) -> Scores:
    """Cosine of the encoded history to each product."""
    vectors = model.product_vectors()
    return lambda histories: model.encode([one.items for one in histories]) @ vectors.T
