"""Queries, candidates, writes and index information over the wire."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from vitrine.errors import InvalidArgument, invalid
from vitrine.messages.common import (
    outcome_from_message,
    outcome_to_message,
    shortfall_from_message,
    shortfall_to_message,
    vectors_from_message,
    vectors_to_message,
)
from vitrine.messages.facets import (
    facet_specs_from_messages,
    facet_specs_to_messages,
    facets_from_messages,
    facets_to_messages,
)
from vitrine.messages.highlight import highlight_from_message, highlight_to_message
from vitrine.messages.product import (
    filter_from_message,
    filter_to_message,
    found_product,
    offer_from_message,
    product_from_message,
    product_to_message,
    shown_product,
)
from vitrine.messages.reading import reading_from_message, reading_to_message
from vitrine.offer import Offer
from vitrine.ports import (
    KEEP_VECTOR,
    Anchor,
    BareCandidates,
    Candidate,
    DigestPage,
    IndexInfo,
    Interest,
    ProductFilter,
    ProductsFound,
    Retrieval,
    RetrievalQuery,
    Similar,
    SimilarCandidate,
    SimilarQuery,
    Source,
    SourceScore,
    WriteResult,
    best_bm25_of,
)
from vitrine.product import Product
from vitrine.v1 import retriever_service_pb2 as pb
from vitrine.vectors import FloatArray

DEFAULT_DEPTH = 200
MAX_DEPTH = 1_000
DEFAULT_SIMILAR_DEPTH = 50
_MAX_ANCHORS = 1_000

_SOURCES: dict[str, Source] = {"dense": "dense", "lexical": "lexical", "pin": "pin", "model_number": "model_number"}


def query_to_message(query: RetrievalQuery) -> pb.RetrieveRequest:
    """A query. Raises InvalidArgument for a depth below 1, which the wire cannot tell from unset."""
    if query.depth < 1:
        raise invalid("depth", f"is {query.depth}; ask for at least 1")
    return pb.RetrieveRequest(
        text=query.text,
        vector=None if query.vector is None else vectors_to_message(query.vector.reshape(1, -1)),
        model_digest=query.model_digest,
        filter=filter_to_message(query.filter),
        depth=query.depth,
        product_limit=query.product_limit,
        with_description=query.with_description,
        order_by=query.order_by,
        facets=facet_specs_to_messages(query.facets),
        with_total_size=query.with_total_size,
        window=query.window,
        first_ids=query.first_ids,
        cursor=query.cursor,
        highlight=query.highlight,
        with_pins=query.with_pins,
        with_bare_rest=query.with_bare_rest,
    )


def query_from_message(message: pb.RetrieveRequest) -> RetrievalQuery:
    """The query of a call. Raises InvalidArgument naming the field."""
    if not 0 <= message.depth <= MAX_DEPTH:
        raise invalid("depth", f"is {message.depth}; ask for 1 to {MAX_DEPTH}")
    vector: FloatArray | None = None
    if message.HasField("vector"):
        vectors = vectors_from_message(message.vector, "vector")
        if len(vectors) != 1:
            raise invalid("vector.data", f"holds {len(vectors)} vectors; send one")
        vector = vectors[0]
    return RetrievalQuery(
        text=message.text,
        vector=vector,
        model_digest=message.model_digest,
        filter=filter_from_message(message.filter),
        depth=message.depth or DEFAULT_DEPTH,
        product_limit=message.product_limit if message.HasField("product_limit") else None,
        with_description=message.with_description,
        order_by=message.order_by,
        facets=facet_specs_from_messages(message.facets),
        with_total_size=message.with_total_size,
        window=message.window if message.HasField("window") else None,
        first_ids=tuple(message.first_ids),
        cursor=message.cursor,
        highlight=message.highlight,
        with_pins=message.with_pins,
        with_bare_rest=message.with_bare_rest,
    )


def retrieval_to_message(retrieval: Retrieval) -> pb.RetrieveResponse:
    """The answer of a call."""
    message = pb.RetrieveResponse(
        best_bm25=retrieval.best_bm25,
        shortfall=shortfall_to_message(retrieval.shortfall),
        revision=retrieval.revision,
        lexical_ms=retrieval.lexical_ms,
        dense_ms=retrieval.dense_ms,
        reading=reading_to_message(retrieval.reading),
        facets=facets_to_messages(retrieval.facets),
        total_size=retrieval.total_size,
        next_cursor=retrieval.next_cursor,
        version=retrieval.version,
    )
    # In their place: what is made apart is copied there, which takes as long again.
    for candidate in retrieval.candidates:
        _add_candidate(message, candidate)
    message.rest.product_ids.extend(retrieval.rest.product_ids)
    message.rest.scores.extend(retrieval.rest.scores)
    return message


def retrieval_from_message(message: pb.RetrieveResponse) -> Retrieval:
    """The candidates of an answer."""
    candidates = tuple(map(_candidate_from_message, message.candidates))
    best_bm25 = message.best_bm25 if message.HasField("best_bm25") else best_bm25_of(candidates)
    return Retrieval(
        candidates=candidates,
        rest=BareCandidates(list(message.rest.product_ids), list(message.rest.scores)),
        best_bm25=best_bm25,
        shortfall=shortfall_from_message(message.shortfall),
        revision=message.revision,
        lexical_ms=message.lexical_ms,
        dense_ms=message.dense_ms,
        reading=reading_from_message(message.reading),
        facets=facets_from_messages(message.facets),
        total_size=message.total_size if message.HasField("total_size") else None,
        next_cursor=message.next_cursor,
        version=message.version,
    )


def _add_candidate(message: pb.RetrieveResponse, candidate: Candidate) -> None:
    added = message.candidates.add(product_id=candidate.product_id, score=candidate.score)
    for found in candidate.sources:
        added.sources.add(source=found.source, rank=found.rank, score=found.score)
    if candidate.product is not None:
        added.product.CopyFrom(shown_product(candidate.product))
    added.highlights.extend(map(highlight_to_message, candidate.highlights))


def _candidate_from_message(message: pb.Candidate) -> Candidate:
    return Candidate(
        product_id=message.product_id,
        score=message.score,
        sources=tuple(SourceScore(_SOURCES[s.source], s.rank, s.score) for s in message.sources),
        product=found_product(message.product) if message.HasField("product") else None,
        highlights=tuple(map(highlight_from_message, message.highlights)),
    )


def similar_to_request(query: SimilarQuery) -> pb.RetrieveSimilarRequest:
    """A query. Raises InvalidArgument for numbers below 1, which the wire cannot tell from unset."""
    for name in ("max_interests", "depth"):
        if (number := getattr(query, name)) < 1:
            raise invalid(name, f"is {number}; give at least 1")
    return pb.RetrieveSimilarRequest(
        anchors=[pb.Anchor(product_id=anchor.product_id, weight=anchor.weight) for anchor in query.anchors],
        max_interests=query.max_interests,
        filter=filter_to_message(query.filter),
        excluded_ids=query.excluded_ids,
        depth=query.depth,
        model_digest=query.model_digest,
    )


def similar_from_message(message: pb.RetrieveSimilarRequest) -> SimilarQuery:
    """The query of a call. Raises InvalidArgument naming the field."""
    if len(message.anchors) > _MAX_ANCHORS:
        raise invalid("anchors", f"has {len(message.anchors)} entries; at most {_MAX_ANCHORS} can be read")
    return SimilarQuery(
        anchors=tuple(Anchor(anchor.product_id, anchor.weight) for anchor in message.anchors),
        max_interests=message.max_interests or 1,
        filter=filter_from_message(message.filter),
        excluded_ids=tuple(message.excluded_ids),
        depth=message.depth or DEFAULT_SIMILAR_DEPTH,
        model_digest=message.model_digest,
    )


def similar_to_message(similar: Similar) -> pb.RetrieveSimilarResponse:
    """The answer of a call."""
    message = pb.RetrieveSimilarResponse(missing_ids=similar.missing_ids, revision=similar.revision)
    for interest in similar.interests:
        added = message.interests.add(share=interest.share)
        added.anchor.CopyFrom(shown_product(interest.anchor))
        for found in interest.candidates:
            added.candidates.add(
                product_id=found.product.id, cosine=found.cosine, nearest_anchor_id=found.nearest_anchor_id
            ).product.CopyFrom(shown_product(found.product))
    return message


def similar_of(message: pb.RetrieveSimilarResponse) -> Similar:
    """The interests of an answer."""
    interests = (
        Interest(
            anchor=found_product(interest.anchor),
            share=interest.share,
            candidates=tuple(
                SimilarCandidate(found_product(found.product), found.cosine, found.nearest_anchor_id)
                for found in interest.candidates
            ),
        )
        for interest in message.interests
    )
    return Similar(tuple(interests), tuple(message.missing_ids), message.revision)


def upsert_to_messages(
    products: Sequence[Product],
    vectors: FloatArray,
    model_digest: str,
    max_bytes: int,
    vector_index: Sequence[int] | None = None,
    further: Mapping[str, FloatArray] | None = None,
) -> Iterator[pb.RetrieverServiceUpsertProductsRequest]:
    """The products in requests of at most about `max_bytes`, in order; one at least.

    `vector_index` names the row of `vectors` (n, dim) of each product; unset: in order. `further`: the same rows by
    further models.
    """
    beside = further or {}
    width = sum(one.shape[1] for one in (vectors, *beside.values()))
    request = pb.RetrieverServiceUpsertProductsRequest(model_digest=model_digest)
    rows: list[int] = []
    size = 0
    for product, row in zip(products, range(len(products)) if vector_index is None else vector_index, strict=True):
        message = product_to_message(product)
        grown = message.ByteSize() + (width * 4 if row != KEEP_VECTOR else 0) + 32
        if request.products and size + grown > max_bytes:
            yield _with_vectors(request, vectors, beside, rows)
            request = pb.RetrieverServiceUpsertProductsRequest(model_digest=model_digest)
            rows, size = [], 0
        request.products.add(product=message, vector_index=KEEP_VECTOR if row == KEEP_VECTOR else len(rows))
        rows += [] if row == KEEP_VECTOR else [row]
        size += grown
    yield _with_vectors(request, vectors, beside, rows)


def _with_vectors(
    request: pb.RetrieverServiceUpsertProductsRequest,
    vectors: FloatArray,
    further: Mapping[str, FloatArray],
    rows: list[int],
) -> pb.RetrieverServiceUpsertProductsRequest:
    if rows:
        request.vectors.CopyFrom(vectors_to_message(vectors[rows]))
        for digest, own in further.items():
            request.further.add(model_digest=digest, vectors=vectors_to_message(own[rows]))
    return request


def further_from_message(message: pb.RetrieverServiceUpsertProductsRequest) -> dict[str, FloatArray]:
    """Vectors of a request by further models. Raises InvalidArgument when one cannot be read."""
    return {
        one.model_digest: vectors_from_message(one.vectors, f"further[{index}].vectors")
        for index, one in enumerate(message.further)
    }


def upsert_from_message(
    message: pb.RetrieverServiceUpsertProductsRequest,
) -> tuple[list[Product | InvalidArgument], FloatArray, list[int]]:
    """Each product of a request, or what is wrong with it; the (n, dim) vectors; and the row of each product's.

    Raises InvalidArgument when a vector is missing or cannot be read.
    """
    rows = [item.vector_index for item in message.products]
    keeps_all = all(row == KEEP_VECTOR for row in rows) and not message.HasField("vectors")
    vectors = np.empty((0, 0), np.float32) if keeps_all else vectors_from_message(message.vectors)
    for index, row in enumerate(rows):
        if not KEEP_VECTOR <= row < len(vectors):
            raise invalid(f"products[{index}].vector_index", f"is {row} and vectors has {len(vectors)} rows")
    return [_product_or_error(item) for item in message.products], vectors, rows


def _product_or_error(message: pb.ProductVector) -> Product | InvalidArgument:
    try:
        return product_from_message(message.product)
    except InvalidArgument as error:
        return error


def outcomes_of(
    message: pb.RetrieverServiceUpsertProductsResponse
    | pb.RetrieverServiceDeleteProductsResponse
    | pb.RetrieverServiceUpdateOffersResponse,
) -> WriteResult:
    """The outcomes of a write's answer."""
    return WriteResult(tuple(outcome_from_message(outcome) for outcome in message.outcomes), message.revision)


def upserted_to_message(result: WriteResult) -> pb.RetrieverServiceUpsertProductsResponse:
    """The answer of an upsert."""
    items = [outcome_to_message(index, outcome) for index, outcome in enumerate(result.outcomes)]
    return pb.RetrieverServiceUpsertProductsResponse(outcomes=items, revision=result.revision)


def deleted_to_message(result: WriteResult) -> pb.RetrieverServiceDeleteProductsResponse:
    """The answer of a delete."""
    items = [outcome_to_message(index, outcome) for index, outcome in enumerate(result.outcomes)]
    return pb.RetrieverServiceDeleteProductsResponse(outcomes=items, revision=result.revision)


def offers_from_message(message: pb.RetrieverServiceUpdateOffersRequest) -> list[Offer | InvalidArgument]:
    """Each offer of a request, or what is wrong with it."""
    return [_offer_or_error(offer) for offer in message.offers]


def _offer_or_error(message: pb.Offer) -> Offer | InvalidArgument:
    try:
        return offer_from_message(message)
    except InvalidArgument as error:
        return error


def offered_to_message(result: WriteResult) -> pb.RetrieverServiceUpdateOffersResponse:
    """The answer of an update of offers."""
    items = [outcome_to_message(index, outcome) for index, outcome in enumerate(result.outcomes)]
    return pb.RetrieverServiceUpdateOffersResponse(outcomes=items, revision=result.revision)


def digests_to_message(page: DigestPage) -> pb.RetrieverServiceListProductDigestsResponse:
    """A page of digests."""
    digests = [pb.ProductDigest(id=product_id, digest=digest) for product_id, digest in page.digests]
    return pb.RetrieverServiceListProductDigestsResponse(digests=digests, next_page_token=page.next_page_token)


def digests_from_message(message: pb.RetrieverServiceListProductDigestsResponse) -> DigestPage:
    """A page of digests."""
    return DigestPage(tuple((found.id, found.digest) for found in message.digests), message.next_page_token)


def products_request(ids: Sequence[str], with_description: bool, filter: ProductFilter | None) -> pb.GetProductsRequest:
    """The request of a read."""
    return pb.GetProductsRequest(
        ids=ids, with_description=with_description, filter=None if filter is None else filter_to_message(filter)
    )


def products_to_message(found: ProductsFound) -> pb.GetProductsResponse:
    """The answer of a read."""
    return pb.GetProductsResponse(
        products=[product_to_message(product) for product in found.products],
        missing_ids=found.missing_ids,
        revision=found.revision,
    )


def products_from_message(message: pb.GetProductsResponse) -> ProductsFound:
    """The products of an answer."""
    products = tuple(product_from_message(product) for product in message.products)
    return ProductsFound(products, tuple(message.missing_ids), message.revision)


def index_to_message(info: IndexInfo) -> pb.GetIndexResponse:
    """What is served, field by field."""
    message = pb.GetIndexResponse(
        products=info.products,
        revision=info.revision,
        model_digest=info.model_digest,
        dim=info.dim,
        kind=info.kind,
        tombstones=info.tombstones,
        alerts=info.alerts,
        recommender_digest=info.recommender_digest,
        further_model_digests=info.further_model_digests,
        further_recommender_digests=info.further_recommender_digests,
        storage=info.storage,
        memory_bytes=info.memory_bytes,
        recall=info.recall,
        recall_floor=info.recall_floor,
        backend=info.backend,
        examined_share=info.examined_share,
        rescored=info.rescored,
        cells=info.cells,
        graph_breadth=info.graph_breadth,
    )
    if info.update_time_s is not None:
        message.update_time.FromDatetime(datetime.fromtimestamp(info.update_time_s, UTC))
    return message


def index_from_message(message: pb.GetIndexResponse) -> IndexInfo:
    """What is served, field by field."""
    return IndexInfo(
        products=message.products,
        revision=message.revision,
        model_digest=message.model_digest,
        dim=message.dim,
        kind=message.kind,
        tombstones=message.tombstones,
        update_time_s=message.update_time.ToDatetime(UTC).timestamp() if message.HasField("update_time") else None,
        alerts=tuple(message.alerts),
        recommender_digest=message.recommender_digest,
        further_model_digests=tuple(message.further_model_digests),
        further_recommender_digests=tuple(message.further_recommender_digests),
        storage=message.storage,
        memory_bytes=message.memory_bytes,
        recall=message.recall if message.HasField("recall") else None,
        recall_floor=message.recall_floor,
        backend=message.backend,
        examined_share=message.examined_share,
        rescored=message.rescored,
        cells=message.cells,
        graph_breadth=message.graph_breadth,
    )
