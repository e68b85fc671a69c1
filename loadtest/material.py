"""What requests are made of: queries and ids of the sample shop, and what the suite under test makes of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import grpc

from cli.sample.products import Shop
from loadtest.mixes import fresh_queries, popular_queries, zipf_draws
from loadtest.suite import Targets
from vitrine.messages.product import product_from_message, product_to_message
from vitrine.product_text import ranking_text
from vitrine.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    common_pb2,
    embedder_service_pb2,
    embedder_service_pb2_grpc,
    product_pb2,
    ranker_service_pb2,
    release_pb2,
    release_store_service_pb2,
    release_store_service_pb2_grpc,
    retriever_service_pb2,
    retriever_service_pb2_grpc,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)

# Products that only the load test has, to be deleted by it; releases and campaigns that it makes; queries with vectors.
EXTRA, MADE, VECTORS = 60, 40, 2_000
OTHER_MODEL = f"sha256:{0:064d}"
_CANDIDATES, _BATCH = 50, 64
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Material:
    """Of a suite at `targets` with so many products; `popular` queries are asked again, `fresh` ones never twice."""

    targets: Targets
    seed: int
    products: int = 2_000
    popular_count: int = 100
    fresh_count: int = 20_000

    @cached_property
    def popular(self) -> list[str]:
        """Draws of the popular queries by Zipf's law."""
        return zipf_draws(popular_queries(self.popular_count, seed=1), 10 * self.popular_count, self.seed)

    @cached_property
    def fresh(self) -> list[str]:
        """Queries that nobody asked before."""
        return fresh_queries(self.fresh_count, self.seed)

    @cached_property
    def product_ids(self) -> list[str]:
        """The products of the shop."""
        return shop_ids(self.products)

    @cached_property
    def extra_ids(self) -> list[str]:
        """Products to delete, written now through the gateway."""
        extra = Shop(EXTRA, seed=2)
        products = [product_to_message(extra.product(index)) for index in range(EXTRA)]
        for number, product in enumerate(products):
            product.id = f"load-{number}"
        with channel(self.targets.gateway) as opened:
            stub = catalog_service_pb2_grpc.CatalogServiceStub(opened)
            requests = iter([catalog_service_pb2.CatalogServiceUpsertProductsRequest(products=products)])
            list(stub.UpsertProducts(requests, timeout=_TIMEOUT_S))
        return [product.id for product in products]

    @cached_property
    def product(self) -> product_pb2.Product:
        """A product that is written over and over."""
        product = product_to_message(Shop(self.products, seed=1).product(0))
        product.id = "load-again"
        return product

    @cached_property
    def model(self) -> embedder_service_pb2.EmbedderServiceGetModelResponse:
        """What the embedder serves."""
        with channel(self.targets.embedder) as opened:
            stub = embedder_service_pb2_grpc.EmbedderServiceStub(opened)
            request = embedder_service_pb2.EmbedderServiceGetModelRequest()
            reply: embedder_service_pb2.EmbedderServiceGetModelResponse = stub.GetModel(request, timeout=_TIMEOUT_S)
        return reply

    @cached_property
    def vectors(self) -> list[common_pb2.PackedVectors]:
        """One vector for each of the first fresh queries."""
        query = embedder_service_pb2.INPUT_TYPE_QUERY
        vectors: list[common_pb2.PackedVectors] = []
        with channel(self.targets.embedder) as opened:
            stub = embedder_service_pb2_grpc.EmbedderServiceStub(opened)
            for start in range(0, VECTORS, _BATCH):
                texts = self.fresh[start : min(start + _BATCH, VECTORS)]
                request = embedder_service_pb2.EmbedRequest(texts=texts, input_type=query)
                vectors += _each(stub.Embed(request, timeout=_TIMEOUT_S).vectors)
        return vectors

    @cached_property
    def behaviour(self) -> retriever_service_pb2.GetBehaviourVectorsResponse:
        """Products in the behaviour space."""
        request = retriever_service_pb2.GetBehaviourVectorsRequest(product_ids=self.product_ids[:200])
        with channel(self.targets.retriever) as opened:
            stub = retriever_service_pb2_grpc.RetrieverServiceStub(opened)
            reply: retriever_service_pb2.GetBehaviourVectorsResponse = stub.GetBehaviourVectors(
                request, timeout=_TIMEOUT_S
            )
        return reply

    @cached_property
    def retrievals(self) -> list[retriever_service_pb2.RetrieveRequest]:
        """A search by words and vector for each vector."""
        return [
            retriever_service_pb2.RetrieveRequest(
                text=text, vector=vector, model_digest=self.model.model.digest, depth=200, product_limit=_CANDIDATES
            )
            for text, vector in zip(self.fresh, self.vectors, strict=False)
        ]

    @cached_property
    def candidates(self) -> list[list[ranker_service_pb2.RankCandidate]]:
        """What the gateway would have ranked for some of these."""
        with channel(self.targets.retriever) as opened:
            stub = retriever_service_pb2_grpc.RetrieverServiceStub(opened)
            replies = [stub.Retrieve(request, timeout=_TIMEOUT_S) for request in self.retrievals[:20]]
        return [
            [
                ranker_service_pb2.RankCandidate(
                    id=found.product_id,
                    text=ranking_text(product_from_message(found.product)),
                    revision=found.product.revision,
                )
                for found in islice(reply.candidates, _CANDIDATES)
            ]
            for reply in replies
        ]

    @cached_property
    def unembedded_rows(self) -> list[int]:
        """Products without a vector of OTHER_MODEL, of which a release is written for that."""
        release = release_pb2.Release(name="load-other", embedder_digest=OTHER_MODEL)
        listing = release_store_service_pb2.ListUnembeddedRequest(model_digest=OTHER_MODEL, limit=500)
        with channel(self.targets.retriever) as opened:
            stub = release_store_service_pb2_grpc.ReleaseStoreServiceStub(opened)
            stub.WriteRelease(release_store_service_pb2.WriteReleaseRequest(release=release), timeout=_TIMEOUT_S)
            return list(stub.ListUnembedded(listing, timeout=_TIMEOUT_S).rows)

    @property
    def events_token(self) -> str:
        """The first page of events is taken up to here."""
        with channel(self.targets.gateway) as opened:
            stub = user_event_service_pb2_grpc.UserEventServiceStub(opened)
            request = user_event_service_pb2.ListUserEventsRequest(page_size=1)
            return str(stub.ListUserEvents(request, timeout=_TIMEOUT_S).next_page_token)

    @property
    def serving(self) -> str:
        """Name of the release that serves now."""
        with channel(self.targets.retriever) as opened:
            stub = release_store_service_pb2_grpc.ReleaseStoreServiceStub(opened)
            request = release_store_service_pb2.GetReleasesRequest()
            return str(stub.GetReleases(request, timeout=_TIMEOUT_S).serving)


@contextmanager
def channel(target: str) -> Iterator[grpc.Channel]:
    """To a process of the suite, past any proxy."""
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as opened:
        yield opened


def shop_ids(products: int) -> list[str]:
    """The ids of a sample shop of so many products."""
    shop = Shop(products, seed=1)
    return [shop.facts(index).id for index in range(products)]


def some(items: Sequence[str], count: int) -> list[list[str]]:
    """Different lists of `count` items, as many as there are items."""
    return [[items[(start + step * 7) % len(items)] for step in range(count)] for start in range(len(items))]


def _each(packed: common_pb2.PackedVectors) -> Iterator[common_pb2.PackedVectors]:
    width = 4 * packed.dim
    for start in range(0, len(packed.data), width):
        yield common_pb2.PackedVectors(data=packed.data[start : start + width], dim=packed.dim)
