"""What is asked of each public method. Reads come first: a write ends the answers that are kept."""

from collections.abc import Callable, Sequence

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2

from loadtest.load import Load
from loadtest.material import MADE, Material, some
from loadtest.methods import NO_OP
from vitrine.v1 import ad_service_pb2 as ads
from vitrine.v1 import catalog_service_pb2 as catalog
from vitrine.v1 import ops_service_pb2 as ops
from vitrine.v1 import recommendation_service_pb2 as recommendation
from vitrine.v1 import release_pb2
from vitrine.v1 import release_service_pb2 as releases
from vitrine.v1 import retriever_service_pb2 as retriever
from vitrine.v1 import search_service_pb2 as search
from vitrine.v1 import user_event_pb2 as event
from vitrine.v1 import user_event_service_pb2 as events

RELEASE = "load"
_EVENTS = 10
_LIMIT = 5_000
_TYPED = 4


def only(message: Message) -> Callable[[Material], Sequence[Message]]:
    """One request that never differs."""
    return lambda _: [message]


def _searches(queries: Sequence[str]) -> list[Message]:
    return [search.SearchRequest(query=query) for query in queries]


def _similar(lists: Sequence[Sequence[str]]) -> list[Message]:
    similar, cart = recommendation.PLACEMENT_SIMILAR, recommendation.PLACEMENT_CART
    return [
        recommendation.RecommendRequest(placement=similar if len(ids) == 1 else cart, product_ids=ids) for ids in lists
    ]


def _offers(material: Material) -> list[Message]:
    return [
        catalog.UpdateOffersRequest(offers=[retriever.Offer(id=id_, price=100.0 + number)])
        for number, id_ in enumerate(material.product_ids)
    ]


def _events(material: Material, start: int) -> Message:
    def viewed(number: int) -> event.UserEvent:
        product = event.EventProduct(product_id=material.product_ids[number % len(material.product_ids)])
        return event.UserEvent(
            event_id=f"load-{material.seed}-{number}",
            event_type=event.EVENT_TYPE_VIEW_ITEM,
            visitor_id=f"load-{number % 997}",
            products=[product],
        )

    return events.WriteUserEventsRequest(events=map(viewed, range(start, start + _EVENTS)))


def _purges(material: Material) -> list[Message]:
    return [events.PurgeUserEventsRequest(page_token=material.events_token, before=Timestamp(seconds=1))]


def _visitors(request: Callable[..., Message]) -> Callable[[Material], Sequence[Message]]:
    return lambda material: [request(visitor_id=f"load-{material.seed}-{n}") for n in range(_LIMIT)]


def _campaign(material: Material, number: int) -> Message:
    sponsored = ads.SponsoredProduct(product_id=material.product_ids[number], bid=0.5)
    campaign = ads.Campaign(id=f"load-{number}", currency_code="CNY", daily_budget=100.0, products=[sponsored])
    return ads.UpsertCampaignsRequest(campaigns=[campaign])


def _release(name: str) -> Message:
    return releases.CreateReleaseRequest(release=release_pb2.Release(name=name))


PUBLIC = {
    NO_OP: Load(only(health_pb2.HealthCheckRequest()), in_flight=16),
    "SearchService/Search": Load(lambda m: _searches(m.popular), lambda m: _searches(m.fresh)),
    "SearchService/Suggest": Load(
        lambda m: [search.SuggestRequest(text=query[:_TYPED]) for query in m.popular],
        lambda m: [search.SuggestRequest(text=query[:40]) for query in m.fresh],
    ),
    "RecommendationService/Recommend": Load(
        lambda m: _similar(some(m.product_ids, 1)[:20]), lambda m: _similar(some(m.product_ids, 2))
    ),
    "CatalogService/GetProduct": Load(
        lambda m: [catalog.GetProductRequest(id=id_) for id_ in m.product_ids[:20]],
        lambda m: [catalog.GetProductRequest(id=id_) for id_ in m.product_ids],
    ),
    "CatalogService/ListProductDigests": Load(only(catalog.ListProductDigestsRequest(page_size=100))),
    "CatalogService/UpdateOffers": Load(lambda m: _offers(m)[:1], _offers, changes=True),
    "CatalogService/UpsertProducts": Load(
        lambda m: [catalog.CatalogServiceUpsertProductsRequest(products=[m.product])], in_flight=4, changes=True
    ),
    "CatalogService/DeleteProducts": Load(
        only(catalog.CatalogServiceDeleteProductsRequest(ids=["load-gone"])),
        lambda m: [catalog.CatalogServiceDeleteProductsRequest(ids=[id_]) for id_ in m.extra_ids[: MADE // 2]],
        in_flight=4,
        changes=True,
    ),
    "UserEventService/WriteUserEvents": Load(
        lambda m: [_events(m, 0)],
        lambda m: [_events(m, number * _EVENTS) for number in range(1, _LIMIT)],
        changes=True,
    ),
    "UserEventService/GetVisitor": Load(
        only(events.GetVisitorRequest(visitor_id="load-1")), _visitors(events.GetVisitorRequest)
    ),
    "UserEventService/ListUserEvents": Load(only(events.ListUserEventsRequest(page_size=20))),
    "UserEventService/ListErasedVisitors": Load(only(events.ListErasedVisitorsRequest(since=Timestamp(seconds=1)))),
    # Nothing is as old as that: none is lost.
    "UserEventService/PurgeUserEvents": Load(_purges, in_flight=2, changes=True),
    "UserEventService/DeleteVisitor": Load(
        only(events.DeleteVisitorRequest(visitor_id="load-1")), _visitors(events.DeleteVisitorRequest), changes=True
    ),
    "AdService/UpsertCampaigns": Load(
        lambda m: [_campaign(m, 0)], lambda m: [_campaign(m, number) for number in range(1, MADE)], changes=True
    ),
    "AdService/ListCampaigns": Load(only(ads.ListCampaignsRequest(page_size=20))),
    "AdService/DeleteCampaigns": Load(
        only(ads.DeleteCampaignsRequest(ids=["load-gone"])),
        lambda _: [ads.DeleteCampaignsRequest(ids=[f"load-{number}"]) for number in range(MADE)],
        changes=True,
    ),
    # Each reads all metrics, or thousands of events: for a few people, not for shoppers.
    "OpsService/GetOverview": Load(only(ops.GetOverviewRequest()), in_flight=1),
    "OpsService/ListQueries": Load(only(ops.ListQueriesRequest()), in_flight=2),
    "OpsService/ListWorstRankedClicks": Load(only(ops.ListWorstRankedClicksRequest(events=1_000)), in_flight=1),
    "ReleaseService/ListReleases": Load(only(releases.ListReleasesRequest())),
    "ReleaseService/CreateRelease": Load(
        only(_release(RELEASE)),
        lambda _: [_release(f"{RELEASE}-{number}") for number in range(MADE)],
        in_flight=4,
        whole=True,
        changes=True,
    ),
    "ReleaseService/DeleteRelease": Load(
        cold=lambda _: [releases.DeleteReleaseRequest(name=f"{RELEASE}-{number}") for number in range(MADE)],
        in_flight=4,
        whole=True,
        changes=True,
    ),
    "ReleaseService/BuildRelease": Load(only(releases.BuildReleaseRequest(name=RELEASE)), in_flight=2, changes=True),
    # One at a time: of two flips at once the later one is refused, as it must be.
    "ReleaseService/FlipRelease": Load(
        only(releases.FlipReleaseRequest(name=RELEASE, force=True)), in_flight=1, changes=True
    ),
    "ReleaseService/AdoptRelease": Load(only(releases.AdoptReleaseRequest(name=RELEASE)), in_flight=1, changes=True),
    "ReleaseService/RollbackRelease": Load(only(releases.RollbackReleaseRequest()), in_flight=1, changes=True),
}
