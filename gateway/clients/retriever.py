"""The retriever over gRPC."""

from collections.abc import AsyncIterator, Mapping, Sequence

import grpc.aio

from gateway.clients.index_version import IndexVersion
from vitrine.channel import call, stream
from vitrine.deadline import Deadline
from vitrine.errors import invalid
from vitrine.messages.product import filter_to_message, offer_to_message, product_from_message
from vitrine.messages.related import behaviour_from_message, behaviour_request, related_of, related_to_request
from vitrine.messages.retriever import (
    digests_from_message,
    index_from_message,
    outcomes_of,
    products_from_message,
    products_request,
    query_to_message,
    retrieval_from_message,
    similar_of,
    similar_to_request,
    upsert_to_messages,
)
from vitrine.messages.suggest import suggest_to_request, suggestions_from_message
from vitrine.offer import Offer
from vitrine.ports import (
    BehaviourVectors,
    DigestPage,
    IndexInfo,
    ItemOutcome,
    ProductFilter,
    ProductsFound,
    Related,
    RelatedQuery,
    Retrieval,
    RetrievalQuery,
    Similar,
    SimilarQuery,
    Suggestions,
    SuggestQuery,
    WriteResult,
    check_vector_index,
)
from vitrine.product import Product
from vitrine.reads import Reads
from vitrine.server_settings import MAX_MESSAGE_BYTES
from vitrine.v1 import retriever_service_pb2 as pb
from vitrine.v1 import retriever_service_pb2_grpc
from vitrine.vectors import FloatArray

MAX_PRODUCTS = 500
# The version is in memory, and every search asks for it first: so much sooner another retriever is asked for it.
_VERSION_SHARE = 2
# A page of digests is read by who compares whole catalogues, and is thousands of rows of a table.
_BULK_TIMES = 10
# Long descriptions fill a message before 500 products are in it; a quarter is left for what surrounds them.
_REQUEST_BYTES = MAX_MESSAGE_BYTES * 3 // 4


class RetrieverClient:
    """A RetrieverService behind a channel; implements the port `Retriever`."""

    def __init__(self, channel: grpc.aio.Channel, *, patience_s: float = 0.5) -> None:
        """What is not answered within `patience_s` is asked of another retriever, writes excepted."""
        self._stub = retriever_service_pb2_grpc.RetrieverServiceStub(channel)
        self._reads = Reads(patience_s)
        self._version_reads = Reads(patience_s / _VERSION_SHARE)
        self._bulk_reads = Reads(patience_s * _BULK_TIMES)
        self._version = IndexVersion(self._asked_version)

    async def retrieve(self, query: RetrievalQuery, *, deadline: Deadline) -> Retrieval:
        """See `vitrine.ports.Retriever.retrieve`; depth at most 1,000."""
        return retrieval_from_message(
            await self._reads.call(self._stub.Retrieve, query_to_message(query), deadline=deadline)
        )

    async def retrieve_similar(self, query: SimilarQuery, *, deadline: Deadline) -> Similar:
        """See `vitrine.ports.Retriever.retrieve_similar`."""
        return similar_of(
            await self._reads.call(self._stub.RetrieveSimilar, similar_to_request(query), deadline=deadline)
        )

    async def retrieve_related(self, query: RelatedQuery, *, deadline: Deadline) -> Related:
        """See `vitrine.ports.Retriever.retrieve_related`."""
        return related_of(
            await self._reads.call(self._stub.RetrieveRelated, related_to_request(query), deadline=deadline)
        )

    async def get_behaviour_vectors(
        self, ids: Sequence[str], *, deadline: Deadline, recommender_digest: str = ""
    ) -> BehaviourVectors:
        """See `vitrine.ports.Retriever.get_behaviour_vectors`."""
        request = behaviour_request(ids, recommender_digest)
        return behaviour_from_message(
            await self._reads.call(self._stub.GetBehaviourVectors, request, deadline=deadline)
        )

    async def list_newest_products(
        self, limit: int, *, deadline: Deadline, filter: ProductFilter, excluded_ids: Sequence[str] = ()
    ) -> tuple[Product, ...]:
        """See `vitrine.ports.Retriever.list_newest_products`."""
        if limit < 1:
            raise invalid("limit", f"is {limit}; ask for at least 1")
        request = pb.ListNewestProductsRequest(filter=filter_to_message(filter), excluded_ids=excluded_ids, limit=limit)
        found = await self._reads.call(self._stub.ListNewestProducts, request, deadline=deadline)
        return tuple(map(product_from_message, found.products))

    async def suggest(self, query: SuggestQuery, *, deadline: Deadline) -> Suggestions:
        """See `vitrine.ports.Retriever.suggest`."""
        return suggestions_from_message(
            await self._reads.call(self._stub.Suggest, suggest_to_request(query), deadline=deadline)
        )

    async def upsert_products(
        self,
        products: Sequence[Product],
        vectors: FloatArray,
        *,
        model_digest: str,
        deadline: Deadline,
        vector_index: Sequence[int] | None = None,
        further: Mapping[str, FloatArray] | None = None,
    ) -> WriteResult:
        """See `vitrine.ports.Retriever.upsert_products`; products too large for one message go in several."""
        if not 1 <= len(products) <= MAX_PRODUCTS:
            raise invalid("products", f"has {len(products)} entries; send 1 to {MAX_PRODUCTS}")
        if vectors.ndim != 2 or (vector_index is None and len(vectors) != len(products)):
            raise invalid("vectors", f"has shape {vectors.shape}; send one vector for each of {len(products)} products")
        if vector_index is not None:
            check_vector_index(vector_index, len(products), len(vectors))

        async def requests() -> AsyncIterator[pb.RetrieverServiceUpsertProductsRequest]:
            for request in upsert_to_messages(products, vectors, model_digest, _REQUEST_BYTES, vector_index, further):
                yield request

        outcomes: list[ItemOutcome] = []
        revision = 0
        async for answer in stream(self._stub.UpsertProducts, requests(), deadline=deadline):
            written = outcomes_of(answer)
            outcomes += written.outcomes
            revision = written.revision
        return WriteResult(tuple(outcomes), revision)

    async def delete_products(self, ids: Sequence[str], *, deadline: Deadline) -> WriteResult:
        """See `vitrine.ports.Retriever.delete_products`."""
        request = pb.RetrieverServiceDeleteProductsRequest(ids=ids)
        return outcomes_of(await call(self._stub.DeleteProducts, request, deadline=deadline))

    async def update_offers(self, offers: Sequence[Offer], *, deadline: Deadline) -> WriteResult:
        """See `vitrine.ports.Retriever.update_offers`."""
        request = pb.RetrieverServiceUpdateOffersRequest(offers=map(offer_to_message, offers))
        return outcomes_of(await call(self._stub.UpdateOffers, request, deadline=deadline))

    async def list_product_digests(self, page_token: str, page_size: int, *, deadline: Deadline) -> DigestPage:
        """See `vitrine.ports.Retriever.list_product_digests`."""
        if page_size < 1:
            raise invalid("page_size", f"is {page_size}; ask for at least 1")
        request = pb.RetrieverServiceListProductDigestsRequest(page_token=page_token, page_size=page_size)
        return digests_from_message(
            await self._bulk_reads.call(self._stub.ListProductDigests, request, deadline=deadline)
        )

    async def get_products(
        self,
        ids: Sequence[str],
        *,
        deadline: Deadline,
        with_description: bool = False,
        filter: ProductFilter | None = None,
    ) -> ProductsFound:
        """See `vitrine.ports.Retriever.get_products`."""
        request = products_request(ids, with_description, filter)
        return products_from_message(await self._reads.call(self._stub.GetProducts, request, deadline=deadline))

    async def get_version(self, *, deadline: Deadline) -> str:
        """See `vitrine.ports.Retriever.get_version`; one question for all who ask at the same time."""
        return await self._version.current(deadline=deadline)

    async def _asked_version(self, deadline: Deadline) -> str:
        answer: pb.GetVersionResponse = await self._version_reads.call(
            self._stub.GetVersion, pb.GetVersionRequest(), deadline=deadline
        )
        return answer.version

    async def get_index(self, *, deadline: Deadline) -> IndexInfo:
        """See `vitrine.ports.Retriever.get_index`."""
        return index_from_message(await self._reads.call(self._stub.GetIndex, pb.GetIndexRequest(), deadline=deadline))
