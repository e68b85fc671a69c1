"""The public services over gRPC."""

from collections.abc import AsyncIterator

from gateway.api import Api
from gateway.settings import GatewaySettings
from vitrine.call import Context, deadline_of
from vitrine.v1 import (
    ad_service_pb2,
    ad_service_pb2_grpc,
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)


class SearchServicer(search_service_pb2_grpc.SearchServiceServicer):
    """A shopper's search."""

    def __init__(self, api: Api, settings: GatewaySettings) -> None:
        self._api = api
        self._timeout_s = settings.default_timeout_s

    async def Search(
        self, request: search_service_pb2.SearchRequest, context: Context
    ) -> search_service_pb2.SearchResponse:
        """Finds products for a query."""
        return await self._api.search(request, deadline_of(context, self._timeout_s))

    async def Suggest(
        self, request: search_service_pb2.SuggestRequest, context: Context
    ) -> search_service_pb2.SuggestResponse:
        """Completes what a shopper began to type."""
        return await self._api.suggest(request, deadline_of(context, self._timeout_s))


class RecommendationServicer(recommendation_service_pb2_grpc.RecommendationServiceServicer):
    """What to show to a visitor."""

    def __init__(self, api: Api, settings: GatewaySettings) -> None:
        self._api = api
        self._timeout_s = settings.default_timeout_s

    async def Recommend(
        self, request: recommendation_service_pb2.RecommendRequest, context: Context
    ) -> recommendation_service_pb2.RecommendResponse:
        """Recommends products."""
        return await self._api.recommend(request, deadline_of(context, self._timeout_s))


class CatalogServicer(catalog_service_pb2_grpc.CatalogServiceServicer):
    """The shop's products."""

    def __init__(self, api: Api, settings: GatewaySettings) -> None:
        self._api = api
        self._timeout_s = settings.default_timeout_s
        self._write_timeout_s = settings.write_timeout_s

    async def UpsertProducts(
        self,
        request_iterator: AsyncIterator[catalog_service_pb2.CatalogServiceUpsertProductsRequest],
        context: Context,
    ) -> AsyncIterator[catalog_service_pb2.CatalogServiceUpsertProductsResponse]:
        """Answers each request, in order, once its products are durable and searchable."""
        async for request in request_iterator:
            yield await self._api.upsert_products(request, deadline_of(context, self._write_timeout_s))

    async def DeleteProducts(
        self, request: catalog_service_pb2.CatalogServiceDeleteProductsRequest, context: Context
    ) -> catalog_service_pb2.CatalogServiceDeleteProductsResponse:
        """Deletes products by id."""
        return await self._api.delete_products(request, deadline_of(context, self._timeout_s))

    async def UpdateOffers(
        self, request: catalog_service_pb2.UpdateOffersRequest, context: Context
    ) -> catalog_service_pb2.UpdateOffersResponse:
        """Changes prices and availability alone."""
        return await self._api.update_offers(request, deadline_of(context, self._write_timeout_s))

    async def ListProductDigests(
        self, request: catalog_service_pb2.ListProductDigestsRequest, context: Context
    ) -> catalog_service_pb2.ListProductDigestsResponse:
        """Reads one page of ids with a digest of each product's content."""
        return await self._api.list_product_digests(request, deadline_of(context, self._timeout_s))

    async def GetProduct(
        self, request: catalog_service_pb2.GetProductRequest, context: Context
    ) -> catalog_service_pb2.GetProductResponse:
        """Reads one product."""
        return await self._api.get_product(request, deadline_of(context, self._timeout_s))


class UserEventServicer(user_event_service_pb2_grpc.UserEventServiceServicer):
    """What visitors do."""

    def __init__(self, api: Api, settings: GatewaySettings) -> None:
        self._api = api
        self._timeout_s = settings.default_timeout_s

    async def WriteUserEvents(
        self, request: user_event_service_pb2.WriteUserEventsRequest, context: Context
    ) -> user_event_service_pb2.WriteUserEventsResponse:
        """Writes events; answered once they are durable."""
        return await self._api.write_user_events(request, deadline_of(context, self._timeout_s))

    async def DeleteVisitor(
        self, request: user_event_service_pb2.DeleteVisitorRequest, context: Context
    ) -> user_event_service_pb2.DeleteVisitorResponse:
        """Erases a visitor."""
        return await self._api.delete_visitor(request, deadline_of(context, self._timeout_s))

    async def GetVisitor(
        self, request: user_event_service_pb2.GetVisitorRequest, context: Context
    ) -> user_event_service_pb2.GetVisitorResponse:
        """Reads what is kept of a visitor."""
        return await self._api.get_visitor(request, deadline_of(context, self._timeout_s))

    async def ListUserEvents(
        self, request: user_event_service_pb2.ListUserEventsRequest, context: Context
    ) -> user_event_service_pb2.ListUserEventsResponse:
        """Reads one page of all events."""
        return await self._api.list_user_events(request, deadline_of(context, self._timeout_s))

    async def PurgeUserEvents(
        self, request: user_event_service_pb2.PurgeUserEventsRequest, context: Context
    ) -> user_event_service_pb2.PurgeUserEventsResponse:
        """Drops old events that were taken."""
        return await self._api.purge_user_events(request, deadline_of(context, self._timeout_s))

    async def ListErasedVisitors(
        self, request: user_event_service_pb2.ListErasedVisitorsRequest, context: Context
    ) -> user_event_service_pb2.ListErasedVisitorsResponse:
        """Names the visitors erased."""
        return await self._api.list_erased_visitors(request, deadline_of(context, self._timeout_s))


class AdServicer(ad_service_pb2_grpc.AdServiceServicer):
    """Campaigns that sponsor products."""

    def __init__(self, api: Api, settings: GatewaySettings) -> None:
        self._api = api
        self._timeout_s = settings.default_timeout_s

    async def UpsertCampaigns(
        self, request: ad_service_pb2.UpsertCampaignsRequest, context: Context
    ) -> ad_service_pb2.UpsertCampaignsResponse:
        """Writes campaigns."""
        return await self._api.upsert_campaigns(request, deadline_of(context, self._timeout_s))

    async def DeleteCampaigns(
        self, request: ad_service_pb2.DeleteCampaignsRequest, context: Context
    ) -> ad_service_pb2.DeleteCampaignsResponse:
        """Deletes campaigns by id."""
        return await self._api.delete_campaigns(request, deadline_of(context, self._timeout_s))

    async def ListCampaigns(
        self, request: ad_service_pb2.ListCampaignsRequest, context: Context
    ) -> ad_service_pb2.ListCampaignsResponse:
        """Reads one page of campaigns with what they spent."""
        return await self._api.list_campaigns(request, deadline_of(context, self._timeout_s))
