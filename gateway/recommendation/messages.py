"""Calls for recommendations and their answers on the wire."""

import math

from gateway.messages import DEGRADATION_VALUES, arms_to_message
from gateway.recommendation.query import Ad, Placement, Profile, RecommendAnswer, RecommendQuery
from gateway.recommendation.reason_messages import reason_to_message
from gateway.search import DEFAULT_PAGE_SIZE
from vitrine.errors import invalid
from vitrine.messages.common import shortfall_to_message
from vitrine.messages.product import filter_from_message, product_to_message
from vitrine.product import CONTENT_KINDS, clean_category
from vitrine.v1 import recommendation_service_pb2 as pb
from vitrine.v1 import search_service_pb2

_PLACEMENTS = {pb.Placement.Value(f"PLACEMENT_{one.name}"): one for one in Placement}


def query_from_message(message: pb.RecommendRequest) -> RecommendQuery:
    """The call as it was sent, defaults filled in. Raises InvalidArgument for what the plain data cannot hold."""
    placement = message.placement or pb.PLACEMENT_HOME
    if placement not in _PLACEMENTS:
        raise invalid("placement", f"{placement} is not a Placement; use for example PLACEMENT_HOME")
    return RecommendQuery(
        placement=_PLACEMENTS[placement],
        visitor_id=message.visitor_id,
        product_ids=tuple(message.product_ids),
        profile_text=message.profile_text,
        filter=filter_from_message(message.filter),
        exclude_product_ids=tuple(message.exclude_product_ids),
        page_size=message.page_size or DEFAULT_PAGE_SIZE,
        include_seen=message.include_seen if message.HasField("include_seen") else None,
        profile=_profile_from_message(message.profile),
        country_code=message.country_code,
        query=message.query,
    )


def answer_to_message(answer: RecommendAnswer, *, explain: bool) -> pb.RecommendResponse:
    """The answer; `explain`: reasons carry their features."""
    return pb.RecommendResponse(
        results=[
            pb.RecommendationResult(
                # The description is what a review or guide says.
                product=product_to_message(one.product, with_description=one.product.kind in CONTENT_KINDS),
                position=position,
                score=one.score,
                reasons=[reason_to_message(reason, explain=explain) for reason in one.reasons],
                ad=_ad_to_message(one.ad) if one.ad else None,
            )
            for position, one in enumerate(answer.results, start=1)
        ],
        shortfall=shortfall_to_message(answer.shortfall),
        degradations=[DEGRADATION_VALUES[kind] for kind in answer.degradations],
        attribution_token=answer.attribution_token,
        missing_product_ids=answer.missing_product_ids,
        timings=[
            search_service_pb2.StageTiming(stage=stage, duration_ms=duration_ms)
            for stage, duration_ms in answer.timings_ms.items()
        ],
        experiment_arms=arms_to_message(answer.experiment_arms),
    )


def _profile_from_message(message: pb.Profile) -> Profile:
    prices = {name: getattr(message, name) if message.HasField(name) else None for name in ("min_price", "max_price")}
    for name, price in prices.items():
        if price is not None and not math.isfinite(price):
            raise invalid(f"profile.{name}", f"is {price}; give a finite number or leave it out")
    return Profile(
        languages=tuple(message.languages),
        currency_code=message.currency_code,
        categories=tuple(map(clean_category, message.categories)),
        **prices,
    )


def _ad_to_message(ad: Ad) -> pb.Ad:
    return pb.Ad(
        campaign_id=ad.campaign_id,
        cost_per_click=ad.cost_per_click,
        currency_code=ad.currency_code,
        ad_token=ad.ad_token,
        click_probability=ad.click_probability,
    )
