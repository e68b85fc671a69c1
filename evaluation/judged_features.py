"""What the served models make of each judged pair: logit, dense and lexical evidence, score, and both vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from evaluation.engines import TIMEOUT_S, Advance, Engines, open_engines
from evaluation.judged_data import JudgedShop
from gateway.search import RankScores
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.ports import Candidate, InputType, RetrievalQuery, best_bm25_of
from vitrine.product import Product
from vitrine.product_text import embedding_text, ranking_text
from vitrine.vectors import FloatArray

FEATURES: tuple[Literal["logit", "dense", "lexical"], ...] = ("logit", "dense", "lexical")
_CHUNK = 128


@dataclass(frozen=True, slots=True)
class JudgedFeatures:
    """A row for each judged pair, n in all; a query's rows lie together."""

    queries: list[str]  # of each row
    product_ids: list[str]
    texts: list[str]  # what the ranker reads of the product
    grades: FloatArray  # (n,)
    evidence: FloatArray  # (n, 3), in the order of FEATURES
    scores: FloatArray  # (n,): the final score that the ranker gave
    query_vectors: FloatArray  # (n, dim)
    product_vectors: FloatArray  # (n, dim)


async def read_features(embedder: Path, ranker: Path, shop: JudgedShop, advance: Advance) -> JudgedFeatures:
    """Features of all judged pairs of a shop, served by two bundles.

    Raises FailedPrecondition when a bundle cannot be served, Internal when a pair cannot be ranked or embedded.
    """
    async with open_engines(embedder, ranker) as engines:
        await engines.write(shop.products, advance)
        return await judged_features(engines, shop, advance)


async def judged_features(engines: Engines, shop: JudgedShop, advance: Advance) -> JudgedFeatures:
    """Features of all judged pairs of a shop that the engines hold, as a search as deep as the catalogue gives them.

    Raises Internal when a pair cannot be ranked or embedded.
    """
    products = {product.id: product for product in shop.products}
    judged = list(dict.fromkeys(one for grades in shop.grades.values() for one in grades))
    vectors = await _vectors(engines, [products[one] for one in judged], advance)
    vector_of = dict(zip(judged, vectors, strict=True))
    queries: list[str] = []
    ids: list[str] = []
    evidence: list[tuple[float, float, float]] = []
    scores: list[float] = []
    query_vectors: list[FloatArray] = []
    for done, (query, grades) in enumerate(shop.grades.items(), 1):
        embeddings = await engines.embedder.embed([query], input_type=InputType.QUERY, deadline=_later())
        if (error := embeddings.items[0].error) is not None:
            raise Internal(f"query {query!r} cannot be embedded: {error}")
        asked = RetrievalQuery(
            text=query,
            vector=embeddings.vectors[0],
            model_digest=embeddings.model_digest,
            depth=len(products),
            product_limit=0,
        )
        found = (await engines.retriever.retrieve(asked, deadline=_later())).candidates
        ranks = await _ranked(engines, query, found, {one: products[one] for one in grades})
        best_bm25 = best_bm25_of(found) or 1.0
        for candidate in sorted((one for one in found if one.product_id in ranks), key=lambda one: one.product_id):
            rank = ranks[candidate.product_id]
            queries.append(query)
            ids.append(candidate.product_id)
            evidence.append((rank.logit, _source(candidate, "dense"), _source(candidate, "lexical") / best_bm25))
            scores.append(rank.score)
            query_vectors.append(embeddings.vectors[0])
        advance("judged pairs", done, len(shop.grades))
    return JudgedFeatures(
        queries,
        ids,
        [ranking_text(products[one]) for one in ids],
        np.array([shop.grades[query][one] for query, one in zip(queries, ids, strict=True)], dtype=np.float32),
        np.array(evidence, dtype=np.float32),
        np.array(scores, dtype=np.float32),
        np.stack(query_vectors),
        np.stack([vector_of[one] for one in ids]),
    )


async def _ranked(
    engines: Engines, query: str, found: Sequence[Candidate], judged: Mapping[str, Product]
) -> dict[str, RankScores]:
    """What the ranker says of each judged product, with evidence relative to the query's best BM25."""
    head = [replace(one, product=judged[one.product_id]) for one in found if one.product_id in judged]
    ordered = await engines.rank_stage.order(
        query, head, best_bm25=best_bm25_of(found), asked=len(head), deadline=_later()
    )
    if len(ordered.ranks) < len(judged):
        raise Internal(f"only {len(ordered.ranks)} of {len(judged)} products of {query!r} were ranked; see the log")
    ranked = zip(ordered.candidates, ordered.ranks, strict=False)
    return {one.product_id: rank for one, rank in ranked if rank is not None}


async def _vectors(engines: Engines, products: Sequence[Product], advance: Advance) -> FloatArray:
    """(n, dim) float32, as the catalogue embeds them."""
    parts = []
    for start in range(0, len(products), _CHUNK):
        chunk = products[start : start + _CHUNK]
        embeddings = await engines.embedder.embed(
            [embedding_text(product) for product in chunk], input_type=InputType.DOCUMENT, deadline=_later()
        )
        for product, item in zip(chunk, embeddings.items, strict=True):
            if item.error is not None:
                raise Internal(f"product {product.id} cannot be embedded: {item.error}")
        parts.append(embeddings.vectors)
        advance("embed judged products", start + len(chunk), len(products))
    return np.concatenate(parts)


def _source(candidate: Candidate, source: str) -> float:
    return max((one.score for one in candidate.sources if one.source == source), default=0.0)


def _later() -> Deadline:
    return Deadline.after(TIMEOUT_S)
