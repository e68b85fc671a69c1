"""How the suite scores labelled pairs: by vector, by the ranker alone, and by the ranker with the vector's evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.engines import TIMEOUT_S, Advance, Engines
from evaluation.judged_data import LabelledPair
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.ports import Evidence, InputType, RankCandidate
from vitrine.product import Product
from vitrine.product_text import embedding_text, ranking_text
from vitrine.vectors import FloatArray

_CHUNK = 128


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores by name ("dense", "logit", "ranked") and the ranker's probabilities, one for each pair in order."""

    scores: dict[str, list[float]]
    probabilities: list[float]


async def pair_scores(engines: Engines, pairs: Sequence[LabelledPair], advance: Advance) -> PairScores:
    """Scores all pairs. A pair has no catalogue around it, so there is no lexical evidence: it is 0 for all."""
    products = [Product(id=str(index), title=pair.title) for index, pair in enumerate(pairs)]
    asked = list(dict.fromkeys(pair.query for pair in pairs))
    query_vectors = dict(zip(asked, await _vectors(engines, asked, InputType.QUERY, advance), strict=True))
    queries = np.stack([query_vectors[pair.query] for pair in pairs])
    titles = await _vectors(engines, [embedding_text(product) for product in products], InputType.DOCUMENT, advance)
    cosines = np.einsum("nd,nd->n", queries, titles)
    found = PairScores({"dense": cosines.tolist(), "logit": [], "ranked": []}, [])
    for done, (pair, product, cosine) in enumerate(zip(pairs, products, cosines, strict=True), 1):
        candidate = RankCandidate(product.id, ranking_text(product), evidence=Evidence(float(cosine), 0.0))
        ranking = await engines.ranker.rank(pair.query, [candidate], deadline=Deadline.after(TIMEOUT_S))
        if ranking.failures:
            raise Internal(f"pair {product.id} cannot be scored: {ranking.failures[0].error}")
        found.scores["logit"].append(ranking.ranked[0].logit)
        found.scores["ranked"].append(ranking.ranked[0].score)
        found.probabilities.append(ranking.ranked[0].probability)
        advance("rank pairs", done, len(pairs))
    return found


async def _vectors(engines: Engines, texts: Sequence[str], input_type: InputType, advance: Advance) -> FloatArray:
    """(n, dim) float32. Raises Internal when a text cannot be embedded."""
    parts = []
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        embeddings = await engines.embedder.embed(chunk, input_type=input_type, deadline=Deadline.after(TIMEOUT_S))
        for text, item in zip(chunk, embeddings.items, strict=True):
            if item.error is not None:
                raise Internal(f"{text!r} cannot be embedded: {item.error}")
        parts.append(embeddings.vectors)
        advance(f"embed {input_type.value} texts", start + len(chunk), len(texts))
    return np.concatenate(parts)
