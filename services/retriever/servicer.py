"""The RetrieverService: protobuf to plain Python and back."""

from collections.abc import AsyncIterator

from services.retriever.catalogue_engine import check_offer_count, check_product_count
from services.retriever.product_digests import MAX_PAGE_SIZE
from vitrine.call import Context, deadline_of
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.messages.product import filter_from_message, product_to_message
from vitrine.messages.related import behaviour_to_message, related_from_message, related_to_message
from vitrine.messages.retriever import (
    deleted_to_message,
    digests_to_message,
    further_from_message,
    index_to_message,
    offered_to_message,
    offers_from_message,
    products_to_message,
    query_from_message,
    retrieval_to_message,
    similar_from_message,
    similar_to_message,
    upsert_from_message,
    upserted_to_message,
)
from vitrine.messages.suggest import suggest_from_request, suggestions_to_message
from vitrine.offer import Offer
from vitrine.ports import ItemOutcome, Retriever, WriteResult
from vitrine.product import Product
from vitrine.v1 import retriever_service_pb2 as pb
from vitrine.v1 import retriever_service_pb2_grpc

DEFAULT_LIMIT = 50


class RetrieverServicer(retriever_service_pb2_grpc.RetrieverServiceServicer):
    """Answers calls from an engine; `vitrine.server` turns its errors into status codes."""

    def __init__(self, engine: Retriever, default_timeout_s: float) -> None:
        self._engine = engine
        self._default_timeout_s = default_timeout_s

    async def Retrieve(self, request: pb.RetrieveRequest, context: Context) -> pb.RetrieveResponse:
        query = query_from_message(request)
        return retrieval_to_message(await self._engine.retrieve(query, deadline=self._deadline(context)))

    async def RetrieveSimilar(self, request: pb.RetrieveSimilarRequest, context: Context) -> pb.RetrieveSimilarResponse:
        query = similar_from_message(request)
        return similar_to_message(await self._engine.retrieve_similar(query, deadline=self._deadline(context)))

    async def RetrieveRelated(self, request: pb.RetrieveRelatedRequest, context: Context) -> pb.RetrieveRelatedResponse:
        query = related_from_message(request)
        return related_to_message(await self._engine.retrieve_related(query, deadline=self._deadline(context)))

    async def GetBehaviourVectors(
        self, request: pb.GetBehaviourVectorsRequest, context: Context
    ) -> pb.GetBehaviourVectorsResponse:
        ids = list(request.product_ids)
        found = await self._engine.get_behaviour_vectors(
            ids, deadline=self._deadline(context), recommender_digest=request.recommender_digest
        )
        return behaviour_to_message(found)

    async def ListNewestProducts(
        self, request: pb.ListNewestProductsRequest, context: Context
    ) -> pb.ListNewestProductsResponse:
        products = await self._engine.list_newest_products(
            request.limit or DEFAULT_LIMIT,
            deadline=self._deadline(context),
            filter=filter_from_message(request.filter),
            excluded_ids=request.excluded_ids,
        )
        return pb.ListNewestProductsResponse(products=map(product_to_message, products))

    async def Suggest(
        self, request: pb.RetrieverServiceSuggestRequest, context: Context
    ) -> pb.RetrieverServiceSuggestResponse:
        query = suggest_from_request(request)
        return suggestions_to_message(await self._engine.suggest(query, deadline=self._deadline(context)))

    async def UpsertProducts(
        self, requests: AsyncIterator[pb.RetrieverServiceUpsertProductsRequest], context: Context
    ) -> AsyncIterator[pb.RetrieverServiceUpsertProductsResponse]:
        async for request in requests:
            # Without a client deadline the default holds for each request, not for the stream.
            yield await self._upserted(request, self._deadline(context))

    async def DeleteProducts(
        self, request: pb.RetrieverServiceDeleteProductsRequest, context: Context
    ) -> pb.RetrieverServiceDeleteProductsResponse:
        deadline = self._deadline(context)
        return deleted_to_message(await self._engine.delete_products(list(request.ids), deadline=deadline))

    async def UpdateOffers(
        self, request: pb.RetrieverServiceUpdateOffersRequest, context: Context
    ) -> pb.RetrieverServiceUpdateOffersResponse:
        deadline = self._deadline(context)
        check_offer_count(len(request.offers))
        items = offers_from_message(request)
        right = [index for index, item in enumerate(items) if isinstance(item, Offer)]
        offers = [item for item in items if isinstance(item, Offer)]
        outcomes = [_outcome(sent.id, item) for sent, item in zip(request.offers, items, strict=True)]
        result = await self._engine.update_offers(offers, deadline=deadline) if right else None
        return offered_to_message(await self._merged(outcomes, right, result, deadline))

    async def ListProductDigests(
        self, request: pb.RetrieverServiceListProductDigestsRequest, context: Context
    ) -> pb.RetrieverServiceListProductDigestsResponse:
        page = await self._engine.list_product_digests(
            request.page_token, request.page_size or MAX_PAGE_SIZE, deadline=self._deadline(context)
        )
        return digests_to_message(page)

    async def GetProducts(self, request: pb.GetProductsRequest, context: Context) -> pb.GetProductsResponse:
        found = await self._engine.get_products(
            list(request.ids),
            deadline=self._deadline(context),
            with_description=request.with_description,
            filter=filter_from_message(request.filter) if request.HasField("filter") else None,
        )
        return products_to_message(found)

    async def GetIndex(self, request: pb.GetIndexRequest, context: Context) -> pb.GetIndexResponse:
        return index_to_message(await self._engine.get_index(deadline=self._deadline(context)))

    async def GetVersion(self, request: pb.GetVersionRequest, context: Context) -> pb.GetVersionResponse:
        return pb.GetVersionResponse(version=await self._engine.get_version(deadline=self._deadline(context)))

    def _deadline(self, context: Context) -> Deadline:
        return deadline_of(context, self._default_timeout_s)

    async def _upserted(
        self, request: pb.RetrieverServiceUpsertProductsRequest, deadline: Deadline
    ) -> pb.RetrieverServiceUpsertProductsResponse:
        # Before they are read, which for the millions that fit into a message would hold up the event loop.
        check_product_count(len(request.products))
        items, vectors, rows = upsert_from_message(request)
        right = [index for index, item in enumerate(items) if isinstance(item, Product)]
        outcomes = [_outcome(sent.product.id, item) for sent, item in zip(request.products, items, strict=True)]
        result: WriteResult | None = None
        if right:
            result = await self._engine.upsert_products(
                [item for item in items if isinstance(item, Product)],
                vectors,
                model_digest=request.model_digest,
                deadline=deadline,
                vector_index=[rows[index] for index in right],
                further=further_from_message(request),
            )
        return upserted_to_message(await self._merged(outcomes, right, result, deadline))

    async def _merged(
        self, outcomes: list[ItemOutcome], right: list[int], result: WriteResult | None, deadline: Deadline
    ) -> WriteResult:
        """The outcomes with those of the items that could be read and were written; without any, nothing was."""
        if result is None:
            return WriteResult(tuple(outcomes), (await self._engine.get_index(deadline=deadline)).revision)
        for index, outcome in zip(right, result.outcomes, strict=True):
            outcomes[index] = outcome
        return WriteResult(tuple(outcomes), result.revision)


def _outcome(item_id: str, item: Product | Offer | VitrineError) -> ItemOutcome:
    return ItemOutcome(item_id, item if isinstance(item, VitrineError) else None)
