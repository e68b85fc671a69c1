"""The client: search, suggestions and recommendations, and the way to the other services."""

from collections.abc import AsyncIterator, Callable
from typing import Unpack

import grpc.aio

from vitrine.client.ads import Ads
from vitrine.client.calls import Calls, Method
from vitrine.client.catalog import Catalog
from vitrine.client.connecting import Connecting
from vitrine.client.events import Events
from vitrine.client.ops import Ops
from vitrine.client.releases import Releases
from vitrine.client.requests import (
    PlacementName,
    RecommendOptions,
    SearchOptions,
    recommend_request,
    search_request,
)
from vitrine.client.retries import Retries
from vitrine.client.visitor import Visitor
from vitrine.tls import ClientTls
from vitrine.v1 import recommendation_service_pb2, search_service_pb2
from vitrine.v1.product_pb2 import Product
from vitrine.v1.retriever_service_pb2 import ProductFilter
from vitrine.v1.search_service_pb2 import SearchResult

_SEARCH = Method("SearchService/Search", search_service_pb2.SearchRequest, search_service_pb2.SearchResponse)
_SUGGEST = Method("SearchService/Suggest", search_service_pb2.SuggestRequest, search_service_pb2.SuggestResponse)
_RECOMMEND = Method(
    "RecommendationService/Recommend",
    recommendation_service_pb2.RecommendRequest,
    recommendation_service_pb2.RecommendResponse,
)
_MOST_OF_A_PAGE = 100


class Client:
    """Calls the gateway; one for a process, used by as many tasks as there are.

        async with Client("shop.example:443", api_key="vtr_…", tls=ClientTls()) as client:
            answer = await client.search("smart watch")

    Every method raises the errors of `vitrine.errors`.
    """

    def __init__(
        self,
        target: str,
        *,
        api_key: str | Callable[[], str] | None = None,
        tls: ClientTls | None = None,
        timeout_s: float = 10.0,
        retries: Retries | None = None,
    ) -> None:
        """`target`: host and port, all of whose addresses are used.

        `api_key`: a key or a bearer token; a function is asked for it at each call, and must answer at once. None: what
        VITRINE_CLIENT_API_KEY or _API_KEY_FILE says. `tls`: whom to trust and what to show (`ClientTls()`: the public
        authorities); None: what VITRINE_CLIENT_CA says, without it in the clear. `timeout_s`: a whole call's time,
        retries included, where the call is given none.

        Raises FailedPrecondition when the key is none that can be sent, and on opening where a file of `tls` is wrong.
        """
        self._calls = Calls(Connecting(target, api_key, tls), timeout_s, retries or Retries())
        self.catalog = Catalog(self._calls)
        self.events = Events(self._calls)
        self.ads = Ads(self._calls)
        self.releases = Releases(self._calls)
        self.ops = Ops(self._calls)

    async def __aenter__(self) -> "Client":
        self._calls.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._calls.close()

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel, with key and TLS, for stubs of your own; their calls are not made again."""
        return self._calls.channel

    def visitor(self, visitor_id: str, *, session_id: str = "", country_code: str = "") -> Visitor:
        """The same calls on behalf of one visitor, and what this visitor does."""
        return Visitor(self, visitor_id, session_id=session_id, country_code=country_code)

    async def search(
        self, query: str = "", *, visitor_id: str = "", page_token: str = "", **options: Unpack[SearchOptions]
    ) -> search_service_pb2.SearchResponse:
        """One page; without a query an `order_by` is needed."""
        request = search_request(query, page_token, visitor_id, options)
        return await self._calls.answer(_SEARCH, request, options.get("timeout_s"))

    async def search_all(
        self, query: str = "", *, visitor_id: str = "", limit: int | None = None, **options: Unpack[SearchOptions]
    ) -> AsyncIterator[SearchResult]:
        """Results of all pages, `limit` at most, each page asked for when it is needed; `timeout_s` is a page's.

        By relevance they end with the server's result window, in another order with the last product that matches.
        """
        found, token, is_last = 0, "", False
        while not is_last:
            page = await self.search(query, visitor_id=visitor_id, page_token=token, **options)
            for result in page.results:
                if found == limit:
                    return
                found += 1
                yield result
            token = page.next_page_token
            is_last = not token or found == limit

    async def products(
        self, *, filter: ProductFilter | str | None = None, timeout_s: float | None = None
    ) -> AsyncIterator[Product]:
        """All products, with their descriptions, the newest first; reviews and guides where `filter` names these kinds.

        One that is written meanwhile may be missing. `timeout_s` is a page's.
        """
        options: SearchOptions = {
            "order_by": "newest",
            "page_size": _MOST_OF_A_PAGE,
            "with_description": True,
            "timeout_s": timeout_s,
        }
        if filter is not None:
            options["filter"] = filter
        async for result in self.search_all(**options):
            yield result.product

    async def suggest(
        self, text: str, *, limit: int = 8, language: str = "", timeout_s: float | None = None
    ) -> search_service_pb2.SuggestResponse:
        """Completes what a shopper began to type."""
        request = search_service_pb2.SuggestRequest(text=text, limit=limit, language=language)
        return await self._calls.answer(_SUGGEST, request, timeout_s)

    async def recommend(
        self, placement: PlacementName = "home", *, visitor_id: str = "", **options: Unpack[RecommendOptions]
    ) -> recommendation_service_pb2.RecommendResponse:
        """What to show to a visitor who has not asked for anything."""
        request = recommend_request(placement, visitor_id, options)
        return await self._calls.answer(_RECOMMEND, request, options.get("timeout_s"))
