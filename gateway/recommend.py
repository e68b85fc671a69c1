"""The short call: a query in, products to recommend out, as plain JSON."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.pipeline import SearchPipeline
from gateway.search import DEFAULT_PAGE_SIZE, SearchHit, SearchQuery
from vitrine.deadline import Deadline
from vitrine.errors import FieldViolation, InvalidArgument


class _RecommendRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    query: str
    top_n: int = Field(DEFAULT_PAGE_SIZE)


async def recommend(pipeline: SearchPipeline, body: bytes, deadline: Deadline) -> dict[str, Any]:
    """Answers {"query", "top_n"} with {"recommendations", "degradations"}.

    Each recommendation's `score` is the calibrated probability of relevance where the ranker looked (`scored_by`
    "ranker"), and the fused retrieval score for those behind. Raises InvalidArgument naming each wrong field.
    """
    try:
        request = _RecommendRequest.model_validate_json(body)
    except ValidationError as error:
        raise InvalidArgument(*map(_violation, error.errors(include_url=False))) from error
    try:
        answer = await pipeline.search(SearchQuery(request.query, page_size=request.top_n), deadline=deadline)
    except InvalidArgument as error:
        renamed = (FieldViolation(v.field.replace("page_size", "top_n"), v.description) for v in error.violations)
        raise InvalidArgument(*renamed) from error
    return {
        "recommendations": [_recommendation(hit) for hit in answer.hits],
        "degradations": [kind.value for kind in answer.degradations],
    }


def _violation(error: Any) -> FieldViolation:
    return FieldViolation(".".join(map(str, error["loc"])) or "body", error["msg"])


def _recommendation(hit: SearchHit) -> dict[str, Any]:
    product = hit.product
    return {
        "id": product.id,
        "title": product.title,
        "score": round(hit.rank.probability if hit.rank else hit.retrieval_score, 6),
        "scored_by": "ranker" if hit.rank else "retriever",
        "brand": product.brand,
        "categories": list(product.categories),
        "price": product.price,
        "currency_code": product.currency_code,
        "availability": product.availability.value,
        "image_uri": product.image_uris[0] if product.image_uris else None,
    }
