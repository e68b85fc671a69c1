"""The public calls, message in and message out, the same for gRPC and HTTP."""

from gateway.ads import messages as ad_messages
from gateway.ads.service import DEFAULT_PAGE_SIZE as DEFAULT_CAMPAIGNS
from gateway.ads.service import Campaigns
from gateway.auth.audit import audited
from gateway.catalog import MAX_DIGESTS, Catalog
from gateway.kept_answers import KeptAnswers
from gateway.messages import visitor_to_message
from gateway.ops.query_counts import QueryCounts
from gateway.recommendation import messages as recommendation_messages
from gateway.recommendation.pipeline import Recommender
from gateway.suggest.messages import suggest_from_message, suggested_to_message
from gateway.suggest.suggester import Suggester
from gateway.user_events import DEFAULT_PAGE_SIZE, UserEvents
from vitrine.deadline import Deadline
from vitrine.errors import InvalidArgument
from vitrine.messages.common import outcome_to_message
from vitrine.messages.product import offer_from_message, product_from_message, product_to_message
from vitrine.messages.user_event import event_from_message, event_to_message, time_from_message
from vitrine.offer import Offer
from vitrine.ports import ItemOutcome, WriteResult
from vitrine.product import Product
from vitrine.user_event import UserEvent, visitor_digest
from vitrine.v1 import (
    ad_service_pb2,
    catalog_service_pb2,
    common_pb2,
    product_pb2,
    recommendation_service_pb2,
    retriever_service_pb2,
    search_service_pb2,
    user_event_pb2,
    user_event_service_pb2,
)


class Api:
    """The public services over the engine; every method raises the errors of `vitrine.errors`."""

    def __init__(
        self,
        searches: KeptAnswers,
        suggester: Suggester,
        recommender: Recommender,
        catalog: Catalog,
        user_events: UserEvents,
        campaigns: Campaigns,
        query_counts: QueryCounts | None = None,
    ) -> None:
        self.searches = searches
        self.suggester = suggester
        self.recommender = recommender
        self.catalog = catalog
        self.user_events = user_events
        self.campaigns = campaigns
        self._query_counts = query_counts

    async def search(
        self, request: search_service_pb2.SearchRequest, deadline: Deadline
    ) -> search_service_pb2.SearchResponse:
        """Finds products for a query."""
        answer = await self.searches.search(request, deadline)
        if self._query_counts is not None:
            self._query_counts.count(request, answer)
        return answer

    async def suggest(
        self, request: search_service_pb2.SuggestRequest, deadline: Deadline
    ) -> search_service_pb2.SuggestResponse:
        """Completes what a shopper began to type."""
        answer = await self.suggester.suggest(suggest_from_message(request), deadline=deadline)
        return suggested_to_message(answer)

    async def recommend(
        self, request: recommendation_service_pb2.RecommendRequest, deadline: Deadline
    ) -> recommendation_service_pb2.RecommendResponse:
        """Recommends products."""
        query = recommendation_messages.query_from_message(request)
        answer = await self.recommender.recommend(query, deadline=deadline)
        return recommendation_messages.answer_to_message(answer, explain=request.explain)

    @audited(lambda request: [product.id for product in request.products])
    async def upsert_products(
        self, request: catalog_service_pb2.CatalogServiceUpsertProductsRequest, deadline: Deadline
    ) -> catalog_service_pb2.CatalogServiceUpsertProductsResponse:
        """Writes the products of one request; on return they are durable and searchable."""
        items = [_item(index, message) for index, message in enumerate(request.products)]
        written = await self.catalog.upsert_products(items, deadline=deadline)
        return catalog_service_pb2.CatalogServiceUpsertProductsResponse(
            outcomes=_outcomes(written), revision=written.revision
        )

    @audited(lambda request: request.ids)
    async def delete_products(
        self, request: catalog_service_pb2.CatalogServiceDeleteProductsRequest, deadline: Deadline
    ) -> catalog_service_pb2.CatalogServiceDeleteProductsResponse:
        """Deletes products by id."""
        written = await self.catalog.delete_products(list(request.ids), deadline=deadline)
        return catalog_service_pb2.CatalogServiceDeleteProductsResponse(
            outcomes=_outcomes(written), revision=written.revision
        )

    @audited(lambda request: [offer.id for offer in request.offers])
    async def update_offers(
        self, request: catalog_service_pb2.UpdateOffersRequest, deadline: Deadline
    ) -> catalog_service_pb2.UpdateOffersResponse:
        """Changes prices and availability alone; on return they are durable and searchable."""
        items = [_offer(index, message) for index, message in enumerate(request.offers)]
        written = await self.catalog.update_offers(items, deadline=deadline)
        return catalog_service_pb2.UpdateOffersResponse(outcomes=_outcomes(written), revision=written.revision)

    async def list_product_digests(
        self, request: catalog_service_pb2.ListProductDigestsRequest, deadline: Deadline
    ) -> catalog_service_pb2.ListProductDigestsResponse:
        """Reads one page of what the catalogue holds, by id with a digest of each."""
        page_size = request.page_size or MAX_DIGESTS
        page = await self.catalog.list_product_digests(request.page_token, page_size, deadline=deadline)
        response = catalog_service_pb2.ListProductDigestsResponse(next_page_token=page.next_page_token)
        for product_id, digest in page.digests:
            response.digests.add(id=product_id, digest=digest)
        return response

    async def get_product(
        self, request: catalog_service_pb2.GetProductRequest, deadline: Deadline
    ) -> catalog_service_pb2.GetProductResponse:
        """Reads one product."""
        product = await self.catalog.get_product(request.id, deadline=deadline)
        return catalog_service_pb2.GetProductResponse(product=product_to_message(product))

    @audited(lambda request: len(request.events))
    async def write_user_events(
        self, request: user_event_service_pb2.WriteUserEventsRequest, deadline: Deadline
    ) -> user_event_service_pb2.WriteUserEventsResponse:
        """Writes the events of one request; on return they are durable, and in their visitors' histories."""
        items = [_event(index, message) for index, message in enumerate(request.events)]
        written = await self.user_events.write(items, deadline=deadline)
        return user_event_service_pb2.WriteUserEventsResponse(
            outcomes=[outcome_to_message(index, outcome) for index, outcome in enumerate(written.outcomes)],
            duplicates=written.duplicates,
        )

    @audited(lambda request: [visitor_digest(request.visitor_id).hex()])
    async def delete_visitor(
        self, request: user_event_service_pb2.DeleteVisitorRequest, deadline: Deadline
    ) -> user_event_service_pb2.DeleteVisitorResponse:
        """Erases a visitor."""
        erased = await self.user_events.delete_visitor(request.visitor_id, deadline=deadline)
        return user_event_service_pb2.DeleteVisitorResponse(events_erased=erased)

    async def get_visitor(
        self, request: user_event_service_pb2.GetVisitorRequest, deadline: Deadline
    ) -> user_event_service_pb2.GetVisitorResponse:
        """Reads what is kept of a visitor."""
        return visitor_to_message(await self.user_events.get_visitor(request.visitor_id, deadline=deadline))

    async def list_user_events(
        self, request: user_event_service_pb2.ListUserEventsRequest, deadline: Deadline
    ) -> user_event_service_pb2.ListUserEventsResponse:
        """Reads one page of all events."""
        page_size = request.page_size or DEFAULT_PAGE_SIZE
        page = await self.user_events.list_events(page_size, request.page_token, deadline=deadline)
        return user_event_service_pb2.ListUserEventsResponse(
            events=map(event_to_message, page.events), next_page_token=page.next_page_token
        )

    @audited(lambda request: [])
    async def purge_user_events(
        self, request: user_event_service_pb2.PurgeUserEventsRequest, deadline: Deadline
    ) -> user_event_service_pb2.PurgeUserEventsResponse:
        """Drops old events that were taken."""
        before = time_from_message(request.before, "before") if request.HasField("before") else None
        purged = await self.user_events.purge_events(request.page_token, before, deadline=deadline)
        return user_event_service_pb2.PurgeUserEventsResponse(events_purged=purged)

    async def list_erased_visitors(
        self, request: user_event_service_pb2.ListErasedVisitorsRequest, deadline: Deadline
    ) -> user_event_service_pb2.ListErasedVisitorsResponse:
        """Names the visitors erased."""
        since = time_from_message(request.since, "since") if request.HasField("since") else None
        response = user_event_service_pb2.ListErasedVisitorsResponse()
        for digest, time in await self.user_events.list_erased(since, deadline=deadline):
            response.visitors.add(visitor_digest=digest).erase_time.FromDatetime(time)
        return response

    @audited(lambda request: [campaign.id for campaign in request.campaigns])
    async def upsert_campaigns(
        self, request: ad_service_pb2.UpsertCampaignsRequest, deadline: Deadline
    ) -> ad_service_pb2.UpsertCampaignsResponse:
        """Writes campaigns; on return they are durable and served."""
        items = [ad_messages.item_from_message(index, message) for index, message in enumerate(request.campaigns)]
        outcomes = await self.campaigns.upsert(items, deadline=deadline)
        return ad_service_pb2.UpsertCampaignsResponse(outcomes=map(outcome_to_message, range(len(outcomes)), outcomes))

    @audited(lambda request: request.ids)
    async def delete_campaigns(
        self, request: ad_service_pb2.DeleteCampaignsRequest, deadline: Deadline
    ) -> ad_service_pb2.DeleteCampaignsResponse:
        """Deletes campaigns by id."""
        outcomes = await self.campaigns.delete(list(request.ids), deadline=deadline)
        return ad_service_pb2.DeleteCampaignsResponse(outcomes=map(outcome_to_message, range(len(outcomes)), outcomes))

    async def list_campaigns(
        self, request: ad_service_pb2.ListCampaignsRequest, deadline: Deadline
    ) -> ad_service_pb2.ListCampaignsResponse:
        """Reads one page of campaigns with what they spent."""
        page_size = request.page_size or DEFAULT_CAMPAIGNS
        return ad_messages.page_to_message(await self.campaigns.list(page_size, request.page_token, deadline=deadline))


def _item(index: int, message: product_pb2.Product) -> Product | ItemOutcome:
    try:
        return product_from_message(message)
    except InvalidArgument as error:
        return ItemOutcome(message.id, error.within(f"products[{index}]"))


def _offer(index: int, message: retriever_service_pb2.Offer) -> Offer | ItemOutcome:
    try:
        return offer_from_message(message)
    except InvalidArgument as error:
        return ItemOutcome(message.id, error.within(f"offers[{index}]"))


def _event(index: int, message: user_event_pb2.UserEvent) -> UserEvent | ItemOutcome:
    try:
        return event_from_message(message)
    except InvalidArgument as error:
        return ItemOutcome(message.event_id, error.within(f"events[{index}]"))


def _outcomes(written: WriteResult) -> list[common_pb2.ItemOutcome]:
    return [outcome_to_message(index, outcome) for index, outcome in enumerate(written.outcomes)]
