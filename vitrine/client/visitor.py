"""One visitor's calls, and what the visitor does, with the tokens that say which answer led there."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Unpack

from vitrine.client.outcomes import refused
from vitrine.client.requests import PlacementName, RecommendOptions, SearchOptions
from vitrine.errors import invalid
from vitrine.v1.recommendation_service_pb2 import RecommendationResult, RecommendResponse
from vitrine.v1.search_service_pb2 import SearchResponse, SearchResult
from vitrine.v1.user_event_pb2 import EventProduct, UserEvent

if TYPE_CHECKING:
    from vitrine.client.client import Client

Answer = SearchResponse | RecommendResponse
EventName = Literal[
    "search",
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "purchase",
    "refund",
    "view_promotion",
    "select_promotion",
    "ad_impression",
    "ad_click",
]


@dataclass(frozen=True, slots=True)
class Visitor:
    """A visitor by the shop's own id; events carry the visit and the country, too."""

    client: "Client"
    visitor_id: str
    session_id: str = ""
    country_code: str = ""

    async def search(
        self, query: str = "", *, page_token: str = "", **options: Unpack[SearchOptions]
    ) -> SearchResponse:
        """As `Client.search`, by this visitor's taste."""
        return await self.client.search(query, visitor_id=self.visitor_id, page_token=page_token, **options)

    def search_all(
        self, query: str = "", *, limit: int | None = None, **options: Unpack[SearchOptions]
    ) -> AsyncIterator[SearchResult]:
        """As `Client.search_all`, by this visitor's taste."""
        return self.client.search_all(query, visitor_id=self.visitor_id, limit=limit, **options)

    async def recommend(
        self, placement: PlacementName = "home", **options: Unpack[RecommendOptions]
    ) -> RecommendResponse:
        """As `Client.recommend`, from this visitor's history."""
        options.setdefault("country_code", self.country_code)
        return await self.client.recommend(placement, visitor_id=self.visitor_id, **options)

    async def saw(
        self, answer: Answer, *, query: str = "", placement: str = "", timeout_s: float | None = None
    ) -> None:
        """Writes that an answer was shown: one event for the list, and one for each ad. Nothing for an empty one.

        Raises the error of the first event that was refused.
        """
        ads = [result for result in answer.results if _ad_token(result)]
        listed = [EventProduct(product_id=one.product.id, position=one.position) for one in answer.results]
        events = [
            self._event("ad_impression", [EventProduct(product_id=one.product.id)], _ad_token(one), query, placement)
            for one in ads
        ]
        if listed:
            events.insert(0, self._event("view_item_list", listed, answer.attribution_token, query, placement))
            await self._write(events, timeout_s)

    async def did(
        self,
        what: EventName,
        *products: str | EventProduct,
        after: Answer | str = "",
        query: str = "",
        placement: str = "",
        currency_code: str = "",
        transaction_id: str = "",
        timeout_s: float | None = None,
    ) -> None:
        """Writes one thing that the visitor did, to products or their ids.

        `after`: the answer that led there, or its attribution_token (an ad's ad_token). Of an answer, products get the
        position where it showed them, and an ad's event the ad's token. `query`: the search that led there.

        Raises the error where the event is refused, and InvalidArgument where an answer shows no such ad.
        """
        named = [EventProduct(product_id=one) if isinstance(one, str) else _copied(one) for one in products]
        token = after if isinstance(after, str) else after.attribution_token
        if not isinstance(after, str):
            shown = {result.product.id: result for result in after.results}
            for product in named:
                if product.product_id in shown and not product.position:
                    product.position = shown[product.product_id].position
            if what.startswith("ad_"):
                tokens = [_ad_token(shown[one.product_id]) for one in named if one.product_id in shown]
                if len(tokens) != 1 or not tokens[0]:
                    raise invalid("products", "an ad's event names one product, which the answer shows as an ad")
                token = tokens[0]
        event = self._event(what, named, token, query, placement)
        event.currency_code, event.transaction_id = currency_code, transaction_id
        await self._write([event], timeout_s)

    def _event(
        self, what: EventName, products: Iterable[EventProduct], token: str, query: str, placement: str
    ) -> UserEvent:
        return UserEvent(
            event_type=f"EVENT_TYPE_{what.upper()}",
            visitor_id=self.visitor_id,
            session_id=self.session_id,
            country_code=self.country_code,
            products=products,
            attribution_token=token,
            query=query,
            placement=placement,
        )

    async def _write(self, events: list[UserEvent], timeout_s: float | None) -> None:
        answer = await self.client.events.write(events, timeout_s=timeout_s)
        for one in refused(answer.outcomes):
            raise one.error


def _copied(product: EventProduct) -> EventProduct:
    """The same, to write a position to: the caller's own may be said again after another answer."""
    copy = EventProduct()
    copy.CopyFrom(product)
    return copy


def _ad_token(result: SearchResult | RecommendationResult) -> str:
    """The token of a result that is an ad; else ""."""
    return result.ad.ad_token if isinstance(result, RecommendationResult) else ""
